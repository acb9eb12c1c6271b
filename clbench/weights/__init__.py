"""Which pretrained weights are meant, known by their SHA-256, and where they lie on this machine."""
