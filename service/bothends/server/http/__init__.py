"""HTTP: the server, a request as dispatch takes it, and whose it is. Knows no front."""
