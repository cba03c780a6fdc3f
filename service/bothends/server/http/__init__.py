"""HTTP: the server over uvicorn, calls as dispatch takes them, and bounds on what a caller may cost."""
