"""Which images and labels arrive when, and what is hidden."""
