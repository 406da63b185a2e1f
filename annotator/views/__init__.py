"""What is made of a catalog: exports, the page, figures, and tables of results.

`export` writes files that others load, a file a format; `site` the page; `figures` draws;
`result_tables` has the tables of experiments, `comparison_tables` those of several models.
"""
