"""Words of a command line to one clear line, or to vectors. Knows no protocol."""
