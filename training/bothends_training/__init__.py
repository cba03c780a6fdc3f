"""Sentences and a teacher's vectors to a checkpoint that bothends_export understands."""
