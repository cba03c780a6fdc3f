"""Command line, `bothends`: reads arguments, calls the other packages, and prints results or one clear error."""
