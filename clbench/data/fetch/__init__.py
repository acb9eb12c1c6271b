"""Getting a data set onto the machine, and checking what lies there."""
