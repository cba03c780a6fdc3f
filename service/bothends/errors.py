"""Errors that bothends raises on purpose, and whose fault each is.

    BothendsError
    ├── SettingsError             the operator's: a setting is unknown or out of range
    ├── StartupError              the operator's: this machine can't do what the settings ask
    │   └── DeviceError           … the device asked for can't be used
    ├── FileError                 the operator's: a file of sentences or vectors can't be read or written
    ├── BundleError               the model's: a file is missing, changed, or doesn't fit its neighbours
    │   └── SelfTestError         … it no longer computes what PyTorch computed
    ├── RequestError              the caller's: the request can't be answered as it stands
    │   ├── SentenceError         … because of one sentence, named by its index
    │   │   └── LongSentenceError … which has more tokens than the model reads, and must not be cut
    │   └── UnknownModelError     … it names a model that isn't served
    ├── UnauthenticatedError      the caller's: no API key came with the call, or none that the server knows
    ├── OverloadedError           the load's: the queue is full; try again after `retry_after_s`
    │   └── QuotaError            … the load of this caller's key, which has had its share
    ├── NotServingError           the server's: its model isn't fit to answer now; another server may be
    │   ├── DrainingError         … it is stopping and takes nothing new
    │   └── ReplacedError         … another has taken over while the request waited for it
    ├── DeadlineError             the clock's: the answer would come too late
    ├── EngineError               the server's: the model run itself failed
    ├── ConnectionFailedError     the network's: no server answered (raised by the client only)
    └── ModelChangedError         the servers': they serve different models at once (raised by the client only)

`wire/status.py` turns these into statuses of gRPC and back.
"""

import math
from typing import ClassVar, Literal, Self

Refusal = Literal["full", "quota", "deadline", "draining", "unfit", "invalid", "unauthenticated"]
"""Why a request was turned away: no room, no share left, no time, no longer, not now, its own mistake, or no key."""


class BothendsError(Exception):
    """Base of every error that bothends raises on purpose; its text is one line for people."""

    refusal: ClassVar[Refusal | None] = None
    """Kind under which a refusal is counted; None for an error that is a failure, not a refusal."""


class SettingsError(BothendsError):
    """Setting that is unknown or out of range."""


class StartupError(BothendsError):
    """Server that can't start on this machine with these settings, for example because a port is in use."""


class DeviceError(StartupError):
    """Device that is unknown or can't be used here."""


class FileError(BothendsError):
    """File of sentences or vectors that can't be read or written, or isn't what it should be."""


class BundleError(BothendsError):
    """Model folder that is incomplete, changed since its export, or no bothends bundle."""


class SelfTestError(BundleError):
    """Model whose golden sentences no longer give PyTorch's embeddings on this device.

    `difference` is the largest that was seen; NaN if none was measured.
    """

    def __init__(self, message: str, *, difference: float = math.nan) -> None:
        super().__init__(message)
        self.difference = difference


class RequestError(BothendsError):
    """Request that can't be answered as it is. `field` names the part of it that is wrong.

    `costs` is the number of sentences that are charged to the key's quota all the same, because refusing the request
    took work.
    """

    refusal = "invalid"

    def __init__(self, message: str, *, field: str = "sentences", costs: int = 0) -> None:
        super().__init__(message)
        self.field = field
        self.costs = costs
        self.reason = message


class SentenceError(RequestError):
    """Sentence that can't be embedded. `index` counts from 0 in the caller's own list."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"sentences[{index}] {reason}", field=f"sentences[{index}]")
        self.index = index
        self.reason = reason

    def at(self, index: int) -> Self:
        """Return the same error for a sentence at `index`."""
        return type(self)(index, self.reason)


class LongSentenceError(SentenceError):
    """Sentence with more tokens than the model reads, whose caller doesn't want it cut."""


class UnknownModelError(RequestError):
    """Request for a model that isn't served here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="model")


class UnauthenticatedError(BothendsError):
    """Call without an API key, or with one that the server doesn't know."""

    refusal = "unauthenticated"


class OverloadedError(BothendsError):
    """Refusal because the queue is full. Nothing was accepted; `retry_after_s` says when to try again (seconds)."""

    refusal: ClassVar[Refusal | None] = "full"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaError(OverloadedError):
    """Refusal because the caller's key is over its quota.

    Nothing was accepted; `retry_after_s` says when the quota allows more (seconds).
    """

    refusal = "quota"


class NotServingError(BothendsError):
    """Refusal because the server's model isn't healthy. Nothing was accepted; another server may answer."""

    refusal: ClassVar[Refusal | None] = "unfit"


class DrainingError(NotServingError):
    """Refusal because the server is stopping. Another server, or this one after its restart, may answer."""

    refusal = "draining"


class ReplacedError(NotServingError):
    """Model that another one has replaced while a request waited for it. The request can be begun anew."""


class DeadlineError(BothendsError):
    """Deadline that passed before the answer was ready."""

    refusal = "deadline"


class EngineError(BothendsError):
    """Model run that failed through no fault of the caller.

    `hung` is True if trying a part of it could take as long again.
    """

    def __init__(self, message: str, *, hung: bool = False) -> None:
        super().__init__(message)
        self.hung = hung


class ConnectionFailedError(BothendsError):
    """Address at which no server answered. Raised by the client."""


class ModelChangedError(BothendsError):
    """Call whose parts were answered by different models, so that their vectors can't be compared.

    Raised by the client.
    """
