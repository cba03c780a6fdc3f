"""Identity of a caller for fair queueing: the caller and its network."""

from collections.abc import Hashable
from typing import NamedTuple


class Caller(NamedTuple):
    """Caller as fair queueing sees it: networks share time evenly, and the callers of a network share that network's
    part.
    """

    network: Hashable
    """Prefix of the caller's address, or another hashable that identifies the network."""
    number: Hashable
    """Its key's account, or else its connection or address."""
