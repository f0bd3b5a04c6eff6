"""Evaluation: protocols on runs, their baselines, and what is made of the results."""
