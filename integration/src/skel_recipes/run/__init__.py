"""Runs: the folder of a pretraining, its clips and its features."""
