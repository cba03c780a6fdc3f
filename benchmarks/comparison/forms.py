"""The forms in which callers send sentences: plain Embed is what all else is compared with.

Every form is measured beside it in the same turn, on the same server unless it needs a key.
"""

from dataclasses import dataclass, replace

from loads import PEAK, Load, unary, wide
from results import FLOAT32, INT8
from servers import Server

SHORTER = 256
"""Numbers of an embedding that is asked for with `dimensions`."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to send a sentence: the load generator's flags for it, and where it is measured."""

    name: str
    flags: tuple[str, ...]
    engines: tuple[str, ...]
    loads: tuple[Load, ...]
    is_http: bool = False
    dimension: int | None = None
    """Numbers of each embedding, where not the model's."""

    def on(self, server: Server) -> Server:
        """Return the server as the callers of this form know it."""
        port = server.http_port if self.is_http else server.port
        dimension = self.dimension or server.dimension
        return replace(
            server, name=form_of(server.name, self), port=port, flags=(*server.flags, *self.flags), dimension=dimension
        )


def form_of(server: str, form: Form | None) -> str:
    """Return the name under which rows of that server and form stand; None is plain Embed over gRPC."""
    return server if form is None else f"{server}, {form.name}"


def _openai(encoding: str, *lists: Load) -> Form:
    flags = ("--protocol", "http", "--body", "openai", "--model", "english", "--encoding", encoding)
    return Form(f"/v1/embeddings {encoding}", flags, (FLOAT32, INT8), (*SINGLE, *lists), is_http=True)


def _of_api(path: str, body: str) -> Form:
    flags = ("--protocol", "http", "--body", body, "--model", "english")
    return Form(path, flags, (FLOAT32, INT8), SINGLE, is_http=True)


def _option(name: str, *flags: str, dimension: int | None = None) -> Form:
    return Form(name, flags, (INT8,), (unary(1), unary(32)), dimension=dimension)


SINGLE = (unary(1), unary(8), unary(32), PEAK)
"""Loads of one sentence a request, by their number of callers."""
BASE64, FLOAT = _openai("base64", wide(4)), _openai("float")
TEI, OLLAMA = _of_api("/embed", "tei"), _of_api("/api/embed", "ollama")
OPTIONS = (
    _option("normalize", "--normalize", "1"),
    _option("truncation", "--truncation", "2"),
    _option("dimensions", "--dimensions", str(SHORTER), dimension=SHORTER),
)
SHARE = _option("a key with a share")
"""Measured on a server of its own, whose callers have keys; its flag, with the key, is the server's."""
FORMS = (BASE64, FLOAT, TEI, OLLAMA, *OPTIONS)


def forms_at(server: Server, load: Load) -> list[Form]:
    """Return the forms that are measured of that server at that load."""
    return [form for form in FORMS if server.engine in form.engines and load in form.loads]
