"""Whether a difference between rows is real: paired over seeds and over test images."""
