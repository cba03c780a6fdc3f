"""The native tokenizer, held to the library's."""
