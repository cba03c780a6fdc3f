"""What a caller's side of a connection does, whatever its protocol; no socket is known here."""

from typing import NamedTuple, Protocol

OK = ("200", "0")
"""Statuses of answers that hold what was asked for, over HTTP and over gRPC."""


class Answer(NamedTuple):
    """One answer. Of one that is right the content is there only where it is kept; of any other the words are."""

    status: str
    content: bytes


class Wire(Protocol):
    """One connection's bytes, to and fro."""

    goes_on: bool
    """Whether there is more to send however often it is asked for."""

    def ask(self) -> None:
        """Ask once more."""

    def to_send(self) -> bytes:
        """Return the bytes that are to be sent now. Raises ConnectionError where the connection is to be ended."""

    def receive(self, came: bytes) -> list[Answer]:
        """Take bytes that came; return the answers that are whole with them."""
