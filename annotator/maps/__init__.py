"""The MAPS engine: source representation, saliency, projection, signatures. No files, no network.

Elhelo & Geva, "Inferring Functionality of Attention Heads from their Parameters",
arXiv 2412.11965. The head map is M = X W_V W_O W_U; it is never materialised.
"""
