"""The examples, each run as a reader would."""
