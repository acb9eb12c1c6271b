"""Leaderboards and the other tables."""
