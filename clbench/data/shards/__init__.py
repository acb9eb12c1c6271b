"""Pictures in archives that are read from end to end: WebDataset tars and Parquet files."""
