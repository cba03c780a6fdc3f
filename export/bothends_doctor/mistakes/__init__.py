"""Ways to read a cell's states, rightly or not, and how to tell which of it a file does."""
