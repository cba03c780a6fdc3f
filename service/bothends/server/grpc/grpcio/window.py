"""A message in a stream's window, and the sentences and bytes that it counts for there."""

from .call_registry import Pending

_MESSAGE_BYTES = 4096
"""Bytes that a message holds besides its own: its future, and what Python keeps of its call."""


class Item:
    """A message that was handed over, and isn't on the wire yet."""

    __slots__ = ("bytes", "pending", "sentences")

    def __init__(self, pending: Pending) -> None:
        content = pending.message.content
        self.pending = pending
        self.bytes = _MESSAGE_BYTES + len(content)
        """Bytes that the message holds, then its answer."""
        self.sentences = content.count(b"\n")  # the byte before each of a message's strings; a few more do no harm

    def answered(self, content: bytes) -> int:
        """Hold an answer in the message's place; returns how many bytes more that is."""
        before, self.bytes = self.bytes, _MESSAGE_BYTES + len(content)
        return self.bytes - before
