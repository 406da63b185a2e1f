"""Pages, and what writes those that are generated."""
