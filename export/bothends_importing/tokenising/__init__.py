"""Writes a tokenizer.json that gives the same tokens as a source's tokeniser, or says why none can."""
