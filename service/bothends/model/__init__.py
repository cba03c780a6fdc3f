"""A model folder to its checked parts: configuration, tokenizer, weights, golden sentences. Knows no engine."""
