"""Heads whose labels or sessions are tokens beside those of the image."""
