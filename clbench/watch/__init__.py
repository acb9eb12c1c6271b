"""Progress of a run for whoever looks on."""
