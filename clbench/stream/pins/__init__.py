"""Pinned streams: a digest of what arrives when."""
