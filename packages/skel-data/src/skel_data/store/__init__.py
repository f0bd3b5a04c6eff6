"""The store: writing, reading, importing and deriving data sets on disk."""
