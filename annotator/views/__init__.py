"""What is made of a catalog: exports, the page, figures, and tables of results.

`export` writes files that others load, a file a format, and the tables of experiments; `site` the
page; `figures` draws; `comparison_tables` has the tables of several models.
"""
