"""What networks believe of labels that are unknown."""
