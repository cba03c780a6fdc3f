"""HTTP: the server over uvicorn, HTTP calls in the form that dispatch.py takes, and bounds on each caller's cost."""
