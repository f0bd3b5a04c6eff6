"""Comparison of methods over seeds, intervals, and tables."""
