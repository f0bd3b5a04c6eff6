"""Features without labels: clusters to look at, and the clips to label next."""
