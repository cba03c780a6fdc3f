"""Makes gRPC channels from addresses, certificates and an API key."""

import ipaddress
import ssl
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, TypeAlias

import grpc

from ..errors import SettingsError
from ..wire import pem
from ..wire.messages import SERVICE

Target: TypeAlias = str | Sequence[str]
"""Address of a server, host:port, or of several: a list, or one string with commas."""

MAX_ANSWER_BYTES = 64 << 20
"""Most bytes of one answer: half a megabyte for each sentence of the largest request that a client makes."""
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ("grpc.enable_retries", 0),  # retry.py decides; two layers of retries would multiply
    # A server that restarts is back in seconds: gRPC's own 1 to 120 s, and 30 s between look-ups, would miss it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    # A peer that vanished without a word is noticed, and balancers on the way don't forget a quiet connection. A
    # bothends server permits a ping every 30 s; others may answer with GOAWAY, after which gRPC pings half as often.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


_OTHER_SCHEMES = ("http", "https", "grpc", "grpcs")
"""Beginnings of URLs that gRPC takes for names."""


class InsecureKeyWarning(UserWarning):
    """Warns that an API key is sent unencrypted to another machine, so that anyone who can listen can use it."""


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificates that prove the server to the client, and the client to the server. Files are PEM."""

    ca: str | PathLike[str] | None = None
    """File of the authorities to trust; None for those that gRPC brings."""
    cert: str | PathLike[str] | None = None
    """File of the client's own certificate, where the server asks for one (mTLS)."""
    key: str | PathLike[str] | None = None
    """File of the private key of `cert`."""
    server_name: str | None = None
    """Name to check in the server's certificate, if it differs from the host of the address."""

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files into gRPC credentials. Raises SettingsError that names the file at fault."""
        if (self.cert is None) != (self.key is None):
            raise SettingsError("a client certificate needs its private key, and a key its certificate: give both")
        # Python's own reader says what is wrong with a file; gRPC's would only fail to connect.
        ca = _pem(self.ca, "CA file", pem.CERTIFICATE)
        if ca is not None:
            pem.check_authorities(ca, f"CA file {self.ca}", SettingsError)
        cert = _pem(self.cert, "certificate", pem.CERTIFICATE)
        key = _pem(self.key, "key", pem.PRIVATE_KEY)
        if self.cert is not None and self.key is not None:
            named = f"certificate {self.cert}", f"key {self.key}"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            pem.load_pair(context, self.cert, self.key, named=named, error=SettingsError)
        return grpc.ssl_channel_credentials(ca, key, cert)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address of one server, or of several equivalent ones, and how to connect to them."""

    name: str
    """The addresses as a person wrote them."""
    target: str
    """The addresses as gRPC reads them."""
    options: tuple[tuple[str, Any], ...]
    credentials: grpc.ChannelCredentials | None = None
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Headers of each call. They hold the key, so no repr shows them."""

    @classmethod
    def of(
        cls,
        target: Target,
        *,
        tls: TLS | bool = False,
        api_key: str | None = None,
        watch_health: bool | None = None,
    ) -> "Endpoint":
        """Check all arguments before anything is sent. Raises SettingsError; warns with InsecureKeyWarning."""
        addresses = [part.strip() for part in target.split(",")] if isinstance(target, str) else list(target)
        if not addresses or not all(addresses):
            raise SettingsError(f"no server is named by {target!r}; an address is host:port")
        if len(addresses) == 1:  # of several, each must be an IP address
            _check_address(addresses[0])
        identity = (TLS() if tls else None) if isinstance(tls, bool) else tls
        if api_key is not None and identity is None and not all(map(_is_here, addresses)):
            warnings.warn(
                f"the API key goes unencrypted to {', '.join(addresses)}; use TLS", InsecureKeyWarning, stacklevel=3
            )
        several = len(addresses) > 1
        return cls(
            ",".join(addresses),
            _static(addresses) if several else addresses[0],
            (*_OPTIONS, *_channel_options(addresses, identity, several if watch_health is None else watch_health)),
            identity.credentials() if identity else None,
            _authorization(api_key),
        )

    def each(self) -> list["Endpoint"]:
        """Return one endpoint for each server, for a balancer to choose from. gRPC itself balances over one name's
        addresses.
        """
        scheme, _, addresses = self.target.partition(":")
        several = addresses.split(",")
        return [replace(self, target=f"{scheme}:{address}") for address in several] if len(several) > 1 else [self]

    def channel(self) -> grpc.Channel:
        """Open a channel for threads."""
        if self.credentials is None:
            return grpc.insecure_channel(self.target, self.options)
        return grpc.secure_channel(self.target, self.credentials, self.options)

    def aio_channel(self) -> grpc.aio.Channel:
        """Open a channel for the running event loop."""
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.target, self.options)
        return grpc.aio.secure_channel(self.target, self.credentials, self.options)


def _channel_options(addresses: Sequence[str], identity: TLS | None, watch_health: bool) -> Iterator[tuple[str, Any]]:
    """Yield gRPC's options for these servers: they take turns, and if health is watched, only those that say SERVING.

    This is for the servers behind one name; of several addresses each has its own channel (balancer.py). For one
    address there are no turns: then gRPC connects only for a call, and retry.py decides when to return to a server that
    closes each connection, while round_robin would reconnect at once, without end.
    """
    is_name = any(_ip(address) is None or _host(address) == "localhost" for address in addresses)
    policy = "round_robin" if watch_health or is_name else "pick_first"
    health = f', "healthCheckConfig": {{"serviceName": "{SERVICE}"}}' if watch_health else ""
    yield "grpc.service_config", f'{{"loadBalancingConfig": [{{"{policy}": {{}}}}]{health}}}'
    authority = identity.server_name if identity else None
    # A proxy for the outside, as http_proxy names it, knows no way back to this machine; and of several addresses it
    # would be asked for all at once (grpc/grpc#40366).
    if len(addresses) > 1 or _is_here(addresses[0]):
        yield "grpc.enable_http_proxy", 0
    if len(addresses) > 1 and authority is None:
        if identity and len({_host(address) for address in addresses}) > 1:
            raise SettingsError(
                f"one name must be in the certificates of {', '.join(addresses)}: say which (server_name)"
            )
        authority = addresses[0]
    if authority is not None:
        yield "grpc.default_authority", authority


def _check_address(address: str) -> None:
    """Raise SettingsError, with what to write instead, for what people write where gRPC wants host:port."""
    scheme, separator, rest = address.partition("://")
    if separator and scheme.lower() in _OTHER_SCHEMES:
        tls = ", and TLS is asked for apart (tls=True, --tls)" if scheme.lower().endswith("s") else ""
        raise SettingsError(f"{address!r} is a URL; an address is host:port, as {rest.rstrip('/')}{tls}")
    if ":" not in address or address.endswith("]"):
        raise SettingsError(f"{address!r} has no port; bothends serve takes {address}:50051 unless told otherwise")


def _static(addresses: Sequence[str]) -> str:
    """Join several IP addresses to one target (https://github.com/grpc/grpc/blob/master/doc/naming.md).

    gRPC has no such target for names, and to look them up here, once, would lose a server that comes back elsewhere.
    """
    parsed = [(_ip(address), address) for address in addresses]
    for ip, address in parsed:
        if ip is None or not _port(address).isdecimal():
            raise SettingsError(
                f"{address!r} is no IP address with a port; several servers are given by IP address, or as one name "
                "that DNS knows all of them by"
            )
    if all(ip is not None and ip.version == 4 for ip, _ in parsed):
        return "ipv4:" + ",".join(address.replace("localhost", "127.0.0.1") for address in addresses)
    return "ipv6:" + ",".join(
        f"[::ffff:{ip}]:{_port(address)}" if ip and ip.version == 4 else address for ip, address in parsed
    )


def _host(address: str) -> str:
    return address.removeprefix("dns:").lstrip("/").rpartition(":")[0].strip("[]")


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    host = _host(address)
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def _is_here(address: str) -> bool:
    """Return whether what is sent to `address` never leaves this machine."""
    ip = _ip(address)
    return address.startswith("unix") or (ip is not None and ip.is_loopback)


def _authorization(api_key: str | None) -> tuple[tuple[str, str], ...]:
    if api_key is None:
        return ()
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise SettingsError("the API key is no key: it is empty or holds spaces, line breaks or non-ASCII characters")
    return (("authorization", f"Bearer {api_key}"),)


def _pem(path: str | PathLike[str] | None, what: str, label: bytes) -> bytes | None:
    """Return the content of a file, PEM of this `label`. Raises SettingsError that says `what` it should be."""
    from pathlib import Path  # with what it brings, it would slow down each `import bothends`

    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"{what} {path}: {error.strerror}") from error
    pem.check(content, label, f"{what} {path}", SettingsError)
    return content
