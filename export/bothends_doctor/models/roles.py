"""Finds the role of each input of an encoder: by shape and type, and by name if that isn't enough."""

from collections.abc import Sequence
from dataclasses import replace

from bothends.text import printable

from ..errors import DoctorError
from .model import Port


def assign(ports: Sequence[Port]) -> tuple[Port, ...]:
    """Return the ports with their roles: one for tokens, and at most one each for lengths and mask.

    Raises DoctorError.
    """
    roles: dict[str, str] = {}
    tokens = _tokens(ports)
    roles[tokens.name] = "tokens"
    for port in ports:
        if port is tokens:
            continue
        role = _role(port)
        if role is None or (role != "state" and role in roles.values()):
            raise DoctorError(
                f"what the input {printable(port)} is for can't be told: doctor knows ids [batch, time] or vectors "
                "[batch, time, features], lengths [batch], a mask [batch, time] and initial states"
            )
        roles[port.name] = role
    return tuple(replace(port, role=roles[port.name]) for port in ports)


def _tokens(ports: Sequence[Port]) -> Port:
    def fits(port: Port, *, rank: int, whole: bool) -> bool:
        return port.shape is not None and len(port.shape) == rank and port.dtype.startswith("int") == whole

    ids = [port for port in ports if fits(port, rank=2, whole=True)]
    vectors = [port for port in ports if fits(port, rank=3, whole=False)]
    named = [port for port in ids if "mask" not in port.name.lower()]
    for found in (named, ids, vectors):
        if found:
            return found[0]
    shown = ", ".join(map(printable, ports)) or "none"
    raise DoctorError(
        f"no input is of ids [batch, time] or of vectors [batch, time, features]; the inputs are: {shown}"
    )


def _role(port: Port) -> str | None:
    rank = None if port.shape is None else len(port.shape)
    if rank == 1 and port.dtype.startswith("int"):
        return "lengths"
    if rank == 2:
        return "mask"
    if rank == 3 and port.dtype.startswith("float"):
        return "state"
    return None
