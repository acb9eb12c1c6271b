"""Which runs are meant: names, settings, data sources, identities."""
