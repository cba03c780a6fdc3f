"""Somebody's own module, of which a TOML says what names and shapes don't, to an encoder of ours."""
