"""Ray, started where nothing reaches it: see apart."""
