"""Binds a socket to an address, or says in one line why it can't be had; finds the network that an address is in."""

import ipaddress
import resource
import socket

from ..errors import StartupError
from ..settings import flag

WAITING = 128
"""Connections that wait to be accepted."""
_OTHERS = 64
"""Files that a server has open beside its callers' sockets."""


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
    """Let this process have so many sockets open: systems begin with 1,024 files, and programs may ask for more.

    Returns how many files it may have open where that is too few, and None elsewhere.
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
    """Write the host as it stands before a port: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Return True for a name or an address by which a machine reaches itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def network(address: str) -> bytes:
    """Return what one caller's addresses have in common: all of IPv4's, half of IPv6's; nothing where it is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return b""
    if isinstance(found, ipaddress.IPv6Address):
        return found.packed[:8] if found.ipv4_mapped is None else found.ipv4_mapped.packed
    return found.packed
