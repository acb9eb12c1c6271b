"""Classifiers that begin as vectors of text."""
