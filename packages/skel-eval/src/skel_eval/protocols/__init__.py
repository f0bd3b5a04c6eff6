"""Evaluation protocols on frozen features, fine-tuning, and the ridge baseline."""
