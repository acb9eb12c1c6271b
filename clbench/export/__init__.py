"""A finished run's model as a folder: weights, ONNX, what they mean; written, read back, used on photos."""
