"""What a run leaves: the record, its schema, where it lies."""
