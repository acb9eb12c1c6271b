"""The stand-in for pretraining: weights that are made on this machine, of generated pictures, at first use."""

from __future__ import annotations

STAND_IN = "stand-in"
"""What `train.weights` calls them."""
