"""Where in a picture a label looked."""
