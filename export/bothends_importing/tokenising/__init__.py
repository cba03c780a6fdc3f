"""Writes a tokenizer.json that gives the same tokens as another tokeniser, or says why none can."""
