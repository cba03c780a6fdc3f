"""Front of the web page at /, which shows the model, the server's numbers, and which words shaped an embedding."""

from ..front import Front
from .endpoints import Page

FRONT = Front(name="page", routes=lambda served, http: Page(served).routes(http), embedding_methods=("POST /explain",))
