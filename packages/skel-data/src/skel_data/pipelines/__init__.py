"""Pipelines: from recorded clips to a batch of one size, by name and settings. One file each."""
