"""Many files to a Ray cluster's nodes, one file after another on each. Knows no format."""
