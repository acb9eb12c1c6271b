"""Saved states of a run."""
