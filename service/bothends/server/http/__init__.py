"""HTTP: the server, a request as dispatch takes it, and the account of its key. Knows no front."""
