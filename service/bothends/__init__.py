"""bothends: sentence embeddings from a bidirectional LSTM, the final forward state joined with the final backward one.

>>> import bothends
>>> bothends.Client("127.0.0.1:50051").encode(["there will be dragons"]).shape  # doctest: +SKIP
(1, 512)

>>> bothends.Encoder.load().encode("there will be dragons").shape  # doctest: +SKIP
(512,)
"""

from typing import TYPE_CHECKING, Any

from .client.aio import AsyncClient
from .client.channel import TLS, InsecureKeyWarning
from .client.retry import Retry
from .client.sync import Client
from .embeddings import Embedding, Embeddings, TruncationWarning, nested
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
_LAZY = ("Encoder", "__version__")
"""Names that cost something, and so are there once they are asked for."""


def __dir__() -> list[str]:
    """List the public names, which docs/stability.md makes a promise of."""
    return sorted([*__all__, *_LAZY])


def __getattr__(name: str) -> Any:
    """`Encoder`, once it is asked for: the client alone has no onnxruntime. (Nor does `import *` ask for it.)"""
    if name == "__version__":
        from importlib.metadata import version

        return version("bothends")
    if name != "Encoder":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .encoder import Encoder
    except ModuleNotFoundError as error:
        raise ImportError(f"bothends.Encoder needs {error.name}: pip install 'bothends[cpu]'") from error
    return Encoder
