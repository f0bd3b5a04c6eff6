"""Models: an encoder with its pipeline and a classifier, from a run and labels to predictions."""
