"""The embedded stand-in: generated pictures with the labels of a real data set."""
