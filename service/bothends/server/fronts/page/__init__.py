"""Front of the page at /: the model, the server's numbers, and the origin of a sentence's embedding."""
