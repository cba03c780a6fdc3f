"""Ways of reading a cell's states (here called readings), correct or mistaken, and tests for which one a file uses."""
