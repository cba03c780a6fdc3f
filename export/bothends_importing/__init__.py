"""Imports encoders that were trained with other libraries, from those libraries' files, as checkpoints."""
