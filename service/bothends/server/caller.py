"""Who has a turn: a caller, and the network that it is in."""

from collections.abc import Hashable
from typing import NamedTuple


class Caller(NamedTuple):
    """A caller as turns know it: networks share evenly, and the callers of one share what it has."""

    network: Hashable
    """What its address begins with, or whatever stands for that."""
    number: Hashable
    """Its key's account, or else its connection or address."""
