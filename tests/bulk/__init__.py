"""`bothends embed` of files: every format, every kind of bad row, every way to be stopped."""
