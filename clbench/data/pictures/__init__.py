"""From picture files to batches of pixels."""
