"""Trains an encoder by distillation: from sentences and teachers' vectors to a checkpoint for bothends_export."""
