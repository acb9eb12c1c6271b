"""Label tables out of what other tools export."""
