"""Logs of a run: CSV, TensorBoard, Weights & Biases."""
