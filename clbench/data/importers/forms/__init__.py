"""One module per form of export: whether files are of it, and what they say."""
