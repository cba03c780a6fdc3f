"""Trains an encoder by distillation: from sentences and teachers' vectors to a checkpoint that bothends_export
reads.
"""
