"""Figures of what a catalog holds, each as PNG and SVG; matplotlib is an extra."""
