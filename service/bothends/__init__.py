"""bothends: sentence embeddings from a bidirectional LSTM, the final forward state joined with the final backward one.

>>> import bothends
>>> bothends.Client("127.0.0.1:50051").embed(["there will be dragons"]).shape  # doctest: +SKIP
(1, 512)
"""

from .client import Client, TruncationWarning
from .embeddings import Embeddings, nested
from .errors import (
    BothendsError,
    ConnectionFailedError,
    DeadlineError,
    DrainingError,
    EngineError,
    NotServingError,
    OverloadedError,
    QuotaError,
    RequestError,
    SentenceError,
    UnauthenticatedError,
)

__all__ = [
    "BothendsError",
    "Client",
    "ConnectionFailedError",
    "DeadlineError",
    "DrainingError",
    "Embeddings",
    "EngineError",
    "NotServingError",
    "OverloadedError",
    "QuotaError",
    "RequestError",
    "SentenceError",
    "TruncationWarning",
    "UnauthenticatedError",
    "nested",
]
