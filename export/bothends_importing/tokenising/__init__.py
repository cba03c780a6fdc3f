"""A source tokeniser to the text of a tokenizer.json that gives the same tokens, or a reason why none can."""
