"""Checks certificates and keys in PEM: a server's and a client's, with the same words for what is wrong."""

import ssl
from os import PathLike

from ..errors import BothendsError

CERTIFICATE, PRIVATE_KEY = b"CERTIFICATE-----", b"PRIVATE KEY-----"
"""How the first line of PEM ends."""


def check(content: bytes, label: bytes, named: str, error: type[BothendsError]) -> None:
    """Raise `error`, a class of errors, if `content` isn't PEM of this `label`, or is an encrypted key; it is told as
    `named`.
    """
    if label not in content:
        raise error(f"{named}: holds no PEM {label.decode().strip('-').lower()}")
    if label == PRIVATE_KEY and b"ENCRYPTED" in content:
        raise error(f"{named}: is encrypted; a program can't type its passphrase")


def check_authorities(content: bytes, named: str, error: type[BothendsError]) -> None:
    """Raise `error` if `content` can't be read as certificates."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_verify_locations(
            cadata=content.decode("ascii", "replace")
        )
    except (ssl.SSLError, ValueError) as problem:
        raise error(f"{named}: can't be read as PEM certificates ({getattr(problem, 'reason', problem)})") from problem


def load_pair(
    context: ssl.SSLContext,
    certificate: str | PathLike[str],
    key: str | PathLike[str],
    *,
    named: tuple[str, str],
    error: type[BothendsError],
) -> None:
    """Load the files of a certificate and of its key into `context`, and ask nobody for a passphrase.

    Raises `error`, a class of errors, in which `named` names both.
    """
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as problem:  # SSLError is one
        reason = getattr(problem, "reason", None)
        if reason == "KEY_VALUES_MISMATCH":
            raise error(f"{named[1]}: isn't the key of {named[0]}") from problem
        raise error(f"{', '.join(named)}: can't be read as PEM ({reason or problem})") from problem
