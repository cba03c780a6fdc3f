"""Embeds sentences in one process, by a model that is tested again and again and replaced by newer ones."""
