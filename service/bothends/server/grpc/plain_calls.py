"""Interface of the C++ code that answers plain calls, to the Python threads that take all other calls."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import orjson
from google.rpc import status_pb2

from ...batching.request import Request, Stuck, Ticket
from ...core.loaded import LoadedModel
from ...engines.contract import TokenIds

if TYPE_CHECKING:
    from bothends_native.transport import Batch as NativeBatch
    from bothends_native.transport import Codec, NamedModel


class ServedModel(NamedTuple):
    """Model, the name by which callers ask for it, and whether it is the default model."""

    name: str
    model: LoadedModel
    is_default: bool


CreateCodec: TypeAlias = Callable[[Sequence[ServedModel]], "Codec"]
"""Function that makes the codec by which a native transport serves a method's plain requests by some of the models."""
WriteFailed: TypeAlias = Callable[[status_pb2.Status, int, LoadedModel], bytes]
"""Function that writes the response to a stream's message when a model could embed none of its sentences."""


class GivenUpError(Exception):
    """Raised in a thread whose model run took too long: another thread has taken over its work."""

    def __init__(self, taken: "NativeBatch") -> None:
        """`taken` is what the thread had taken for Python, and is still to be started."""
        super().__init__("the run was given up")
        self.taken = taken


class PlainCalls(Protocol):
    """Fast path that answers plain calls in C++, in the threads that call `take_messages` for all other calls, whose
    sentences it computes.
    """

    def take_messages(self, max_messages: int, wait_s: float, max_bytes: int) -> "NativeBatch | None":
        """Take messages like a transport's `take_messages`, answer plain calls meanwhile, and compute what was
        submitted, whose requests are settled before this returns.

        Raises GivenUpError if another thread has taken over this one's work.
        """
        ...

    def submit(self, request: Request, sentences: Sequence[TokenIds], ticket: Ticket) -> None:
        """Let sentences wait in the turn of the caller who has `ticket`. Raises OverloadedError.

        The request gets ReplacedError where its engine doesn't serve any more.
        """

    def forget(self, request: Request, ticket: Ticket) -> None:
        """Let go of a request that was submitted, because nobody waits for it."""

    def stands_still(self) -> bool:
        """Return True if something has waited for a while of which no thread takes anything."""
        ...

    def count(self) -> None:
        """Add to the metrics what was served since the last call of this."""

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Fail the callers of model runs that have taken longer than `seconds`, and return those runs.

        `lost_s` gives the seconds since its last call for which a thread couldn't run; they don't count.
        """
        ...


def named(models: Sequence[ServedModel]) -> "list[NamedModel]":
    """Describe models to the native code by their names; the default model also by the empty name."""
    from bothends_native.transport import NamedModel  # not in every build

    return [
        NamedModel(
            names=["", name] if is_default else [name],
            shown=name,
            version=model.config.version,
            dimension=model.config.dimension,
            sizes=model.config.sizes,
        )
        for name, model, is_default in models
    ]


def named_in_json(models: Sequence[ServedModel], more_names: Sequence[str]) -> "list[NamedModel]":
    """Describe models to native code that writes JSON; `more_names` are further names of the default model."""
    from bothends_native.transport import NamedModel

    return [
        NamedModel(
            names=["", name, *more_names] if is_default else [name],
            shown=orjson.dumps(name).decode(),
            version=orjson.dumps(model.config.version).decode(),
            dimension=model.config.dimension,
            sizes=model.config.sizes,
        )
        for name, model, is_default in models
    ]
