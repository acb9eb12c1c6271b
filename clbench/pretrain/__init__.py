"""The stand-in for pretraining: a small transformer that has seen generated pictures of invented things."""
