"""Readers of numpy arrays and tables."""
