"""Prompts: what is set before the tokens, keys and values of a frozen transformer, and lanes beside it."""
