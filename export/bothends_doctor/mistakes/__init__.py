"""The ways of reading a cell's states, right or mistaken, and the tests that tell which of them a file uses."""
