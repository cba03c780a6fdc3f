"""Front of the page at /: the model, the server's numbers, and the origin of a sentence's embedding."""

from ..front import Front
from .endpoints import Page

FRONT = Front(name="page", routes=lambda served, http: Page(served).routes(http), embedding_methods=("POST /explain",))
