"""Sentence embeddings from a bidirectional LSTM: its final forward state joined with its final backward state.

>>> import bothends
>>> bothends.Client("127.0.0.1:50051").encode(["there will be dragons"]).shape  # doctest: +SKIP
(1, 512)

>>> bothends.Encoder.load().encode("there will be dragons").shape  # doctest: +SKIP
(512,)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BothendsError,
    ConnectionFailedError,
    DeadlineError,
    DrainingError,
    EngineError,
    ModelChangedError,
    NotServingError,
    OverloadedError,
    QuotaError,
    RequestError,
    SentenceError,
    SettingsError,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    from .client.aio import AsyncClient
    from .client.channel import TLS, InsecureKeyWarning
    from .client.retry import Retry
    from .client.sync import Client
    from .embeddings import Embedding, Embeddings, TruncationWarning, nested
    from .encoder import Encoder as Encoder

    __version__: str

__all__ = [
    "TLS",
    "AsyncClient",
    "BothendsError",
    "Client",
    "ConnectionFailedError",
    "DeadlineError",
    "DrainingError",
    "Embedding",
    "Embeddings",
    "EngineError",
    "InsecureKeyWarning",
    "ModelChangedError",
    "NotServingError",
    "OverloadedError",
    "QuotaError",
    "RequestError",
    "Retry",
    "SentenceError",
    "SettingsError",
    "TruncationWarning",
    "UnauthenticatedError",
    "nested",
]
_MODULES = {
    "AsyncClient": "client.aio",
    "Client": "client.sync",
    "Embedding": "embeddings",
    "Embeddings": "embeddings",
    "Encoder": "encoder",
    "InsecureKeyWarning": "client.channel",
    "Retry": "client.retry",
    "TLS": "client.channel",
    "TruncationWarning": "embeddings",
    "nested": "embeddings",
}
"""Modules of names that are imported once they are asked for: who computes by an Encoder, or serves, waits for no gRPC,
and a client for no engine.
"""
_LEFT_OUT = ("Encoder", "__version__")
"""Public names that `import *` doesn't ask for: not every environment has what they need."""


def __dir__() -> list[str]:
    """List the public names, which docs/stability.md makes a promise of."""
    return sorted([*__all__, *_LEFT_OUT])


def __getattr__(name: str) -> Any:
    """Import a public name once it is asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("bothends")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if name != "Encoder":
            raise
        raise ImportError(f"bothends.Encoder needs {error.name}: pip install 'bothends[cpu]'") from error
    globals()[name] = found
    return found
