"""Graphs between labels."""
