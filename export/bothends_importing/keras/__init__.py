"""Keras models to encoders of ours, where the gates map exactly."""
