"""Detection: actions in untrimmed recordings."""
