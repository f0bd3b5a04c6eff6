"""Configuration: recipes as plain data, and their settings as checked classes."""
