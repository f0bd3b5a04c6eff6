"""Zero-shot recognition: unseen classes, named by texts."""
