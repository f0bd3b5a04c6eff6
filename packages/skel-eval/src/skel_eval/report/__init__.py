"""HTML pages: the report of results, the comparison of runs, and clips that move."""
