"""The known data sets: where their files are, how they are read, what they must hold."""
