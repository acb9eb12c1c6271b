"""Stored features that stand where pictures would."""
