"""Train and test splits, and subsets of them."""
