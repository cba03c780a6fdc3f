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
    │   └── DrainingError         … it is stopping and takes nothing new
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
    """Base of every error that bothends raises on purpose; its text is one line for a person."""

    refusal: ClassVar[Refusal | None] = None
    """Reason by which it counts where it turns a request away; None where something failed."""


class SettingsError(BothendsError):
    """A setting is unknown or its value is out of range."""


class StartupError(BothendsError):
    """The server can't start on this machine as it was asked to, say because a port is taken."""


class DeviceError(StartupError):
    """The device asked for is unknown or can't be used here."""


class FileError(BothendsError):
    """A file of sentences or vectors can't be read or written, or isn't what it should be."""


class BundleError(BothendsError):
    """A model folder is incomplete, changed since its export, or no bothends bundle."""


class SelfTestError(BundleError):
    """The model's golden sentences no longer give PyTorch's embeddings on this device.

    `difference` is the largest that was seen; NaN where there was none to see.
    """

    def __init__(self, message: str, *, difference: float = math.nan) -> None:
        super().__init__(message)
        self.difference = difference


class RequestError(BothendsError):
    """A request can't be answered as it stands. `field` names the part of it that is wrong.

    `costs` is how many sentences of a key's share it takes all the same, for it was no small thing to refuse.
    """

    refusal = "invalid"

    def __init__(self, message: str, *, field: str = "sentences", costs: int = 0) -> None:
        super().__init__(message)
        self.field = field
        self.costs = costs
        self.reason = message


class SentenceError(RequestError):
    """One sentence can't be embedded. `index` counts from 0 in the caller's own list."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"sentences[{index}] {reason}", field=f"sentences[{index}]")
        self.index = index
        self.reason = reason

    def at(self, index: int) -> Self:
        """Return the same error, of a sentence that stands at `index`."""
        return type(self)(index, self.reason)


class LongSentenceError(SentenceError):
    """A sentence has more tokens than the model reads, and its caller wants none cut."""


class UnknownModelError(RequestError):
    """The request names a model that isn't served here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="model")


class UnauthenticatedError(BothendsError):
    """No API key came with the call, or none that the server knows."""

    refusal = "unauthenticated"


class OverloadedError(BothendsError):
    """The queue is full. Nothing was accepted; `retry_after_s` says when to try again (seconds)."""

    refusal: ClassVar[Refusal | None] = "full"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaError(OverloadedError):
    """The caller's key has had its share. Nothing was accepted; `retry_after_s` says when it has more (seconds)."""

    refusal = "quota"


class NotServingError(BothendsError):
    """The server's model isn't fit to answer now; nothing was accepted, and another server may answer."""

    refusal: ClassVar[Refusal | None] = "unfit"


class DrainingError(NotServingError):
    """The server is stopping; another server, or this one restarted, may answer."""

    refusal = "draining"


class DeadlineError(BothendsError):
    """The deadline passed before the answer was ready."""

    refusal = "deadline"


class EngineError(BothendsError):
    """The model run failed through no fault of the caller's. It `hung` where a part of it could take as long again."""

    def __init__(self, message: str, *, hung: bool = False) -> None:
        super().__init__(message)
        self.hung = hung


class ConnectionFailedError(BothendsError):
    """No server answered at the address. Raised by the client."""


class ModelChangedError(BothendsError):
    """Parts of one call were answered by different models, whose vectors can't be compared. Raised by the client."""
