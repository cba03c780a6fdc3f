"""Settings about callers: how they reach the server, which of them may, and what it reports."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from ..errors import SettingsError
from ..options import Truncation
from .model import ReloadSettings, usable_cpus
from .section import INT32, Section, fixed, flag, names, option

_INFLATED_BYTES = 4 << 20
"""What a compressed request may become, within the largest request: a kilobyte may say a thousand times as much."""
_MAX_SHARDS = 64
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@*]+")


class ListenerSettings(Section):
    """Address and bounds that gRPC and HTTP share."""

    host: str = option(
        "Start here",
        "Address that gRPC and HTTP listen on, or unix: and a folder for their sockets.",
        "127.0.0.1",
        min_length=1,
    )
    max_concurrent_requests: int = option(
        "Requests",
        "Most requests in progress: gRPC's and those of /v1/embeddings, /embed, /api/embed and KServe's infer, and as "
        "many again of HTTP's others; beyond it they are refused.",
        1024,
        ge=1,
        le=100_000,
    )
    trusted_proxies: str | None = option(
        "Who may call",
        "Proxies, by addresses or networks with commas (10.0.0.0/8), that say by `forwarded` or `x-forwarded-for` in "
        "whose name they call: turns, and bounds of what is unread, are by that network then. Needs the native "
        "transport.",
        is_rare=True,
    )
    max_message_bytes: int = option("Requests", "Most bytes in one request.", 4 << 20, is_rare=True, ge=1024, le=INT32)
    compression: bool = option("Requests", "Accept requests that come compressed (gzip).", True, is_rare=True)
    max_header_bytes: int = fixed(
        "Bytes of a request's headers (gRPC metadata, each entry 32 more than it says): as many as gRPC's core takes.",
        16384,
    )
    max_connections: int = option(
        "Connections",
        "Most gRPC connections at once, and as many by HTTP (a quarter with uvicorn). One more closes the one that "
        "was of no use for longest.",
        512,
        is_rare=True,
        ge=1,
        le=1_000_000,
    )
    caller_timeout_s: float = fixed(
        "Seconds that a caller may keep the server waiting: for a handshake, a whole HTTP request, the rest of a gRPC "
        "message that has begun, and for each 256 KiB of an HTTP answer to be read. Ample on any network. Where the "
        "server is full, a gRPC request that takes longer loses its place.",
        10.0,
    )
    drain_s: float = option("Running", "Time that accepted requests get to finish after SIGTERM.", 30.0, ge=0, le=3600)

    @model_validator(mode="after")
    def _sockets_have_a_folder(self) -> Self:
        """Raises SettingsError where Unix sockets are asked for, and no folder is named."""
        if self.host == "unix:":
            raise SettingsError("--host unix: needs a folder for the sockets, such as unix:/run/bothends")
        return self

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks in `trusted_proxies`.

        Raises SettingsError for one that is neither an address nor a network.
        """
        try:
            return tuple(_unmapped(ip_network(name)) for name in names(self.trusted_proxies))
        except ValueError as error:
            told = f"--trusted-proxies: {error}; write an address, or a network as 10.0.0.0/8"
            raise SettingsError(told) from None

    @model_validator(mode="after")
    def _proxies_are_networks(self) -> Self:
        _ = self.proxies
        return self

    @property
    def max_inflated_bytes(self) -> int:
        """Upper bound on the size of a decompressed request in bytes; 0 if compressed requests are refused."""
        return min(_INFLATED_BYTES, self.max_message_bytes) if self.compression else 0


class GrpcSettings(ListenerSettings):
    """Port of gRPC, and bounds on its connections."""

    port: int = option("Start here", "gRPC port; 0 takes a free one.", 50051, ge=0, le=65535)
    transport: Literal["auto", "native", "grpcio"] = option(
        "Connections",
        "What speaks gRPC and HTTP. Auto is native (bothends-native) where it is installed; grpcio, with uvicorn for "
        "HTTP, is several times slower.",
        "auto",
        is_rare=True,
    )
    transport_shards: int | None = option(
        "Connections",
        "Parts of the native transport that work side by side, each with a share of the connections; the default is "
        "one for each thread that takes from it, and one where there is one core.",
        is_rare=True,
        ge=1,
        le=_MAX_SHARDS,
    )
    max_connection_requests: int = fixed(
        "Requests at once of one gRPC connection: enough to fill batches by itself. More wait at the caller.", 256
    )
    idle_s: float = fixed(
        "Seconds after which a gRPC connection without calls is closed; clients open another unseen.", 600.0
    )
    age_s: float = option(
        "Connections",
        "Age (±10 %) at which a gRPC connection is replaced, say for callers to find new replicas by DNS; 0 for never.",
        0.0,
        is_rare=True,
        ge=0,
        le=86400,
    )
    age_grace_s: float = fixed(
        "Seconds that calls on a connection to be replaced get to finish: as long as at a stop.", 30.0
    )
    keepalive_s: float = fixed(
        "Seconds of silence after which a gRPC peer is asked whether it lives, for which it has 20 s: proxies forget "
        "silent connections after some minutes.",
        60.0,
    )
    min_ping_s: float = fixed(
        "Shortest time between a caller's keepalive pings, also without calls: who needs more of them has a network "
        "that pings don't mend. The third that comes too early closes its connection.",
        30.0,
    )

    def shards_for(self, takers: int) -> int:
        """Return the number of parts that a native transport has, from which at most `takers` threads take at once."""
        if self.transport_shards is not None:
            return self.transport_shards
        return min(takers, _MAX_SHARDS) if usable_cpus() > 1 else 1


class HttpSettings(ListenerSettings):
    """Port of HTTP, what is answered there, and bounds on its connections."""

    http_port: int = option(
        "Start here", "Port of the HTTP APIs, /metrics, /healthz and /readyz; 0 takes a free one.", 8080, ge=0, le=65535
    )
    health_port: int | None = option(
        "Connections",
        "Port of /healthz and /readyz alone, in plain HTTP, for probes that no caller can keep out; "
        "without it, they are on the HTTP port only.",
        is_rare=True,
        ge=0,
        le=65535,
    )
    http_api: bool = option(
        "Who may call",
        "Answer embeddings over HTTP too, as OpenAI, text-embeddings-inference, Ollama and KServe have them, and serve "
        "a page at /.",
        True,
        is_rare=True,
    )
    http_truncation: Literal["auto", "start", "error", "end", "pieces"] = option(
        "Requests",
        "What becomes of an input longer than the model reads, where an HTTP caller doesn't say: it is an error, its "
        "start or end is kept, or it is read in pieces. auto does what each API's own server does: OpenAI's refuses "
        "it, text-embeddings-inference's and Ollama's keep its start.",
        "auto",
    )
    model_alias: str | None = option(
        "Requests",
        "More names by which HTTP's callers may ask for the model, with commas: text-embedding-3-small.",
    )
    allowed_hosts: str | None = option(
        "Who may call",
        "Names by which HTTP's callers may ask for this server besides its machine's own, with commas: "
        "embeddings.example.org. Without it, a server that listens on a loopback address alone answers to that "
        "machine's own, any other to all.",
        is_rare=True,
    )
    cors_origins: str | None = option(
        "Who may call",
        "Origins, with commas, whose pages may call HTTP from a browser (CORS): https://app.example.org. * is all of "
        "them, and isn't taken with --api-keys.",
        is_rare=True,
    )
    max_uvicorn_connections: int = fixed(
        "HTTP connections at once where uvicorn serves, which has one thread for all of them: a quarter of "
        "--max-connections. The native transport takes as many by HTTP as by gRPC.",
        of=lambda before: max(1, before["max_connections"] // 4),
    )
    http_idle_s: int = fixed(
        "Seconds after which an idle HTTP connection is closed: longer than clients keep one (5 s in Python's httpx, "
        "60 s behind some load balancers), so that no call meets a connection that is just being closed.",
        75,
    )

    def truncation(self, usual: Truncation) -> Truncation:
        """Return what becomes of long inputs where a caller doesn't say, in an API whose own server does `usual`."""
        return usual if self.http_truncation == "auto" else self.http_truncation

    @property
    def model_aliases(self) -> tuple[str, ...]:
        """Return the names in `model_alias`."""
        return names(self.model_alias)

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """Return the names in `allowed_hosts`, in lower case."""
        return frozenset(map(str.lower, names(self.allowed_hosts)))

    @property
    def cors_origin_names(self) -> frozenset[str]:
        """Return the origins in `cors_origins`, in lower case as browsers write them."""
        return frozenset(map(str.lower, names(self.cors_origins)))

    @model_validator(mode="after")
    def _aliases_are_names(self) -> Self:
        """Raises SettingsError where one has a space in it: no caller asks for such a model."""
        if odd := next((name for name in self.model_aliases if any(map(str.isspace, name))), None):
            raise SettingsError(f"--model-alias {odd!r}: a name has no spaces; commas stand between several")
        return self

    @model_validator(mode="after")
    def _hosts_are_names(self) -> Self:
        """Raises SettingsError where one is written with more than its name."""
        if odd := next((name for name in self.allowed_host_names if set(name) & set("/:*[]@ ")), None):
            raise SettingsError(f"--allowed-hosts {odd}: a host's name alone is wanted, without scheme, port and stars")
        return self

    @model_validator(mode="after")
    def _origins_are_whole(self) -> Self:
        """Raises SettingsError where one isn't as browsers write it."""
        if odd := next((name for name in self.cors_origin_names if not _ORIGIN.fullmatch(name)), None):
            raise SettingsError(
                f"--cors-origins {odd}: an origin is a scheme and a host, with the port unless it is the scheme's own, "
                "and no more: https://app.example.org"
            )
        return self


class AccessSettings(Section):
    """Certificates and keys that prove the server to callers, and callers to it."""

    tls_cert: Path | None = option(
        "Who may call", "Certificate chain, PEM: both ports speak TLS. Read again when it changes."
    )
    tls_key: Path | None = option("Who may call", "Its private key, PEM without a passphrase.")
    tls_client_ca: Path | None = option(
        "Who may call",
        "Who signs callers' certificates, PEM: gRPC asks each caller for one (mTLS).",
        is_rare=True,
    )
    api_keys: Path | None = option(
        "Who may call", "TOML file of API keys and their limits (see bothends key): each call needs one of them."
    )
    metrics: Literal["open", "keys", "off"] = option(
        "Who may call",
        "Who may read /metrics: anybody, holders of an API key, or nobody.",
        "open",
        is_rare=True,
    )

    @model_validator(mode="after")
    def _access_is_complete(self) -> Self:
        """Raises SettingsError where one of these needs another."""
        for name, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_client_ca", "tls_cert")):
            if getattr(self, name) and not getattr(self, other):
                raise SettingsError(f"{flag(name)} needs {flag(other)}")
        if self.metrics == "keys" and not self.api_keys:
            raise SettingsError("--metrics keys needs --api-keys")
        return self


class PortSettings(HttpSettings, GrpcSettings, AccessSettings, ReloadSettings):
    """Both ports, and who may use them. Certificates and keys are read again when they change."""

    @model_validator(mode="after")
    def _keys_are_for_known_pages(self) -> Self:
        """Raises SettingsError where pages of any site may call by keys, which a visitor may have given to one."""
        if self.api_keys is not None and "*" in self.cors_origin_names:
            raise SettingsError("--cors-origins * isn't taken with --api-keys: name the origins that may call")
        return self

    @property
    def offers_http_api(self) -> bool:
        """True if HTTP offers the APIs.

        False if gRPC asks for client certificates, since HTTP doesn't and would be a way around.
        """
        return self.http_api and (self.api_keys is not None or self.tls_client_ca is None)


class ObserveSettings(Section):
    """Settings of logs and traces."""

    tracing: bool = option(
        "Running",
        "Send OpenTelemetry spans by OTLP, as the OTEL_* variables say (an endpoint, a sampler).",
        False,
        is_rare=True,
    )
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "Running",
        "What is logged, to standard error; debug has a line for each request.",
        "info",
    )


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return a network of IPv4 addresses that are written as IPv6's as what it is; any other as it is."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None or network.prefixlen < 96 else IPv4Network((mapped, network.prefixlen - 96))
