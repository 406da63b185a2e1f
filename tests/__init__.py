PATIENCE = 300.0
"""Seconds after which another process, or what it should come to, is given up as hanging: on a
machine with much else to do one that only starts can take half a minute."""
