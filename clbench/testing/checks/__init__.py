"""The checks of the conformance battery."""
