"""Binds a socket to an address, or says in one line why it can't; finds the network of an address."""

import ipaddress
import resource
import socket
from contextlib import suppress
from pathlib import Path

from ..errors import StartupError
from ..settings import flag

WAITING = 128
"""Connections that wait to be accepted."""
UNIX = "unix:"
"""Beginning of a host that is a folder of Unix sockets."""
_FILES = {"port": "grpc.sock", "http_port": "http.sock", "health_port": "health.sock"}
"""Files of the ports' sockets, by the settings of their numbers elsewhere."""
_OTHERS = 64
"""Number of files that a server has open in addition to its callers' sockets."""


def bound(host: str, port: int, setting: str) -> socket.socket:
    """Bind a socket and listen. A host that begins with `unix:` is a folder, in which the socket is the file that
    `unix_path` names. Raises StartupError that names `setting`'s flag.
    """
    if is_unix(host):
        return _bound_in_folder(unix_path(host, setting))
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


def _bound_in_folder(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket() and not _is_answered(path):
            path.unlink()  # of a server that is no more
        listener.bind(str(path))
        listener.listen(WAITING)
    except OSError as error:
        listener.close()
        raise StartupError(f"can't listen on {UNIX}{path}: {error.strerror or error}; choose another --host") from error
    return listener


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller, suppress(BlockingIOError):  # where too many wait to be accepted
        caller.setblocking(False)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def is_unix(host: str) -> bool:
    """Return True for a host that is a folder of Unix sockets."""
    return host.startswith(UNIX)


def unix_path(host: str, setting: str) -> Path:
    """Return the file of a port's socket in the folder that `host` names; `setting` is the port's."""
    return Path(host.removeprefix(UNIX)) / _FILES[setting]


def address_of(listener: socket.socket) -> str:
    """Return the IP address that a socket is bound to; for a Unix socket a name of this machine."""
    if listener.family == socket.AF_UNIX:
        return "localhost"
    address: str = listener.getsockname()[0]
    return address


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
    """Return the port that a socket is bound to; 0 for a Unix socket."""
    if listener.family == socket.AF_UNIX:
        return 0
    port: int = listener.getsockname()[1]
    return port


def bracketed(host: str) -> str:
    """Return the host as it is written before a port: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def shown(host: str, port: int, setting: str) -> str:
    """Return where callers reach a port, as gRPC's clients have it: host and port, or the file of its socket."""
    return f"{UNIX}{unix_path(host, setting)}" if is_unix(host) else f"{bracketed(host)}:{port}"


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
