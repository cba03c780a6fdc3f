"""The interface of what serves plain calls without Python, beside a transport, to the threads that take all others."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from google.rpc import status_pb2

from ...core.loaded import LoadedModel
from ...engines.contract import Engine
from .contract import Batch

WriteFailed: TypeAlias = Callable[[status_pb2.Status, int, LoadedModel], bytes]
"""Function that writes the response to a stream's message, of whose so many sentences a model could embed none."""


class GivenUpError(Exception):
    """The model run that this thread was in took too long: another thread has taken its place."""


class PlainCalls(Protocol):
    """Server of plain calls without Python, by the threads that come to take messages of all others."""

    @property
    def is_used(self) -> bool:
        """True while it serves any."""

    def take_messages(
        self, most: int, wait_s: float, queue_s: float, most_bytes: int, *, may_run: bool
    ) -> Batch | None:
        """Take messages as a transport's `take_messages` does; serve plain calls meanwhile, if it `may_run`.

        Raises GivenUpError.
        """
        ...

    def count(self) -> None:
        """Count what was served since the last time."""

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[tuple[int, Engine]]:
        """Answer the callers of runs that have gone on for so long; returns the threads in them, and their engines.

        `lost_s` tells the seconds since the last time in which a thread couldn't go on: they don't count.
        """
        ...
