"""Checks: leakage, frozen encoders, equal ranks, feature diagnostics."""
