"""Checks of a split: copies across its parts, and groups that it says it keeps apart."""
