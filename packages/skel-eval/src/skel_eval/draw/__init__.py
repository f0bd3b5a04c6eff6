"""Clips as stick figures, in SVG, GIF and PNG."""
