"""A user's own label table: CSV, JSON or NPZ beside the photos."""
