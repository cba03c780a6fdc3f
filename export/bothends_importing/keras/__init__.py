"""Imports Keras models whose gates can be mapped exactly."""
