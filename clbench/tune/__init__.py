"""Search for values on validation images."""
