"""The page at /: what is served, how it does, and where a sentence's embedding comes from."""
