"""Readers of motion capture files."""
