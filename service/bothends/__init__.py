"""bothends: sentence embeddings from a bidirectional LSTM, the final forward state joined with the final backward one.

>>> import bothends
>>> bothends.Client("127.0.0.1:50051").encode(["there will be dragons"]).shape  # doctest: +SKIP
(1, 512)
"""

from .aio import AsyncClient
from .channel import TLS, InsecureKeyWarning
from .client import Client, TruncationWarning
from .embeddings import Embedding, Embeddings, nested
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
from .retry import Retry

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
