"""Label tables whose labels are rows of a few entries: as many as files can map, dense only where they are shown."""
