"""Reads and checks a model folder (bundle): configuration, tokenizer, weights and golden sentences."""
