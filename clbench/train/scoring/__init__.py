"""How a session is scored: images in one pass or in parts, thresholds, and the files of the scores."""
