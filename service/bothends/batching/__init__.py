"""Batches waiting sentences fairly and by length, and runs the batches in worker threads."""
