"""One run: loop, batches, evaluation."""
