"""The page of a catalog: a folder of static files that a browser opens from disk or any web host.

What the page reads is in `data/`, each file a call of one function with JSON, since a page that was
opened from disk may load scripts and nothing else. `page/` holds the page itself.
"""
