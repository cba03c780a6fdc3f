"""Custom modules, of which a TOML says what names and shapes don't, to encoders of ours."""
