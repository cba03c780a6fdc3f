"""Binds a socket to an address, or says in one line why it can't; finds the network of an address."""

import ipaddress
import resource
import socket

from ..errors import StartupError
from ..settings import flag

WAITING = 128
"""Connections that wait to be accepted."""
_OTHERS = 64
"""Number of files that a server has open in addition to its callers' sockets."""


def bound(host: str, port: int, setting: str) -> socket.socket:
    """Bind a socket and listen. Raises StartupError that names `setting`'s flag."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By this protocol asyncio knows the connections that must not hold back an answer's end for 40 ms (Nagle).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(WAITING)
    except (OSError, TypeError, UnicodeError) as error:  # the last two for a host that is no name
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise StartupError(
            f"can't listen on {host}:{port}: {reason}; choose another {flag(setting)} or --host"
        ) from error
    return listener


def allow_sockets(count: int) -> int | None:
    """Raise this process's limit on open files so that it can have `count` sockets; systems often start with 1,024.

    Returns the limit if it is still too low, and None if it is enough.
    """
    wanted = count + _OTHERS
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < wanted:
            return most
    return None


def port_of(listener: socket.socket) -> int:
    """Return the port that a socket is bound to."""
    port: int = listener.getsockname()[1]
    return port


def bracketed(host: str) -> str:
    """Return the host as it is written before a port: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Return True for a name or an address by which a machine reaches itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def network(address: str) -> bytes:
    """Return the network of an address: a whole IPv4 address, half of an IPv6 address, or empty if it is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return b""
    if isinstance(found, ipaddress.IPv6Address):
        return found.packed[:8] if found.ipv4_mapped is None else found.ipv4_mapped.packed
    return found.packed
