"""Figures, and the CSV beside each."""
