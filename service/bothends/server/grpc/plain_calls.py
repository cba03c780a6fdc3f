"""The interface of what serves plain calls without Python, beside a transport, to the threads that take all others."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import orjson
from google.rpc import status_pb2

from ...batching.request import Stuck
from ...core.loaded import LoadedModel
from .contract import Batch

if TYPE_CHECKING:
    from bothends_native.transport import Codec, NamedModel


class ServedModel(NamedTuple):
    """A model, the name by which callers ask for it, and whether it is for those who name none."""

    name: str
    model: LoadedModel
    is_default: bool


CreateCodec: TypeAlias = Callable[[Sequence[ServedModel]], "Codec"]
"""Function that makes the codec by which a native transport serves a method's plain requests by some of the models."""
WriteFailed: TypeAlias = Callable[[status_pb2.Status, int, LoadedModel], bytes]
"""Function that writes the response to a stream's message, of whose so many sentences a model could embed none."""


class GivenUpError(Exception):
    """The model run that this thread was in took too long: another thread has taken its place."""

    def __init__(self, taken: Batch) -> None:
        """`taken` is what the thread took with it for Python, and is still to be begun."""
        super().__init__("the run was given up")
        self.taken = taken


class PlainCalls(Protocol):
    """Server of plain calls without Python, by the threads that come to take messages of all others."""

    @property
    def is_used(self) -> bool:
        """True while it serves any."""

    @property
    def has_hasty_callers(self) -> bool:
        """True if somebody has lately asked for what is answered soon."""
        ...

    def take_messages(self, most: int, wait_s: float, queue_s: float, max_bytes: int, *, may_run: bool) -> Batch | None:
        """Take messages as a transport's `take_messages` does; serve plain calls meanwhile, if it `may_run`.

        Raises GivenUpError.
        """
        ...

    def count(self) -> None:
        """Count what was served since the last time."""

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Answer the callers of runs that have gone on for so long, and return those.

        `lost_s` tells the seconds since the last time in which a thread couldn't go on: they don't count.
        """
        ...


def named(models: Sequence[ServedModel]) -> "list[NamedModel]":
    """Describe models to native code, the default for requests that name none, too."""
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
    """Describe models to native code that writes JSON; `more_names` are more by which the default is asked for."""
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
