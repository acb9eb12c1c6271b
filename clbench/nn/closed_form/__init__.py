"""Classifiers that are solved for instead of trained."""
