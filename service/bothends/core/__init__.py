"""Embeds sentences in one process, with a model that is tested regularly and can be replaced by a newer version."""
