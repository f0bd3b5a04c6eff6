"""Training: the trainer, its diagnostics and optimiser."""
