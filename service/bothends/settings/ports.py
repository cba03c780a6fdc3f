"""Settings of callers: how they reach the server, which of them may, and what it reports."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from ..errors import SettingsError
from ..options import Truncation
from .model import ReloadSettings
from .section import INT32, Section, flag


class ListenerSettings(Section):
    """Address and bounds that gRPC and HTTP share."""

    host: str = Field("127.0.0.1", min_length=1, description="Address that gRPC and HTTP listen on.")
    max_message_bytes: int = Field(4 << 20, ge=1024, le=INT32, description="Largest request in bytes.")
    max_header_bytes: int = Field(
        16384, ge=1024, le=1 << 20, description="Most bytes of a request's headers (gRPC metadata)."
    )
    max_concurrent_requests: int = Field(
        1024,
        ge=1,
        le=100_000,
        description="Most requests in progress by gRPC, and as many by HTTP; beyond it they are refused.",
    )
    handshake_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds that a gRPC connection's handshake and an HTTP request may take to come.",
    )
    drain_s: float = Field(
        30.0, ge=0, le=3600, description="Seconds that accepted requests get to finish after SIGTERM."
    )


class GrpcSettings(ListenerSettings):
    """Port of gRPC, and bounds of its connections."""

    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    transport: Literal["auto", "native", "grpcio"] = Field(
        "auto",
        description="What speaks gRPC: native (bothends-native) or grpcio. Auto is native where it is installed.",
    )
    max_inflated_bytes: int = Field(
        4 << 20,
        ge=0,
        le=INT32,
        description="Most bytes that a compressed gRPC request may become; 0 refuses requests that come compressed.",
    )
    reflection: bool = Field(
        True, description="Answer gRPC reflection, by which grpcurl and its like find the methods."
    )
    max_connections: int = Field(512, ge=1, le=1_000_000, description="Most gRPC connections at once.")
    max_connection_requests: int = Field(
        256, ge=1, le=100_000, description="Most requests at once of one gRPC connection; more wait at the caller."
    )
    idle_s: float = Field(
        600.0, ge=0, le=86400, description="Seconds after which a gRPC connection without calls is closed; 0 for never."
    )
    age_s: float = Field(
        0.0, ge=0, le=86400, description="Seconds after which a gRPC connection is replaced, about; 0 for never."
    )
    age_grace_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds that calls on a connection to be replaced get to finish."
    )
    keepalive_s: float = Field(
        60.0, gt=0, le=86400, description="Seconds of silence after which a gRPC peer is asked whether it lives."
    )
    min_ping_s: float = Field(
        30.0, ge=0, le=3600, description="Callers that ping more often than every so many seconds are disconnected."
    )


class HttpSettings(ListenerSettings):
    """Port of HTTP, what is answered there, and bounds of its connections."""

    http_port: int = Field(
        8080, ge=0, le=65535, description="Port of the HTTP API, /metrics, /healthz and /readyz; 0 takes a free one."
    )
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of /healthz and /readyz alone, in plain HTTP, for probes that no caller can keep out; "
        "without it, they are on the HTTP port only.",
    )
    http_api: bool = Field(
        True, description="Answer embeddings over HTTP too, as OpenAI's API has them, and serve a page at /."
    )
    http_truncation: Truncation = Field(
        "error",
        description="What becomes of an input longer than the model reads, where an HTTP caller doesn't say: an error, "
        "or its start or end is kept.",
    )
    model_alias: str | None = Field(
        None,
        description="More names by which HTTP's callers may ask for the model, with commas: text-embedding-3-small.",
    )
    allowed_hosts: str | None = Field(
        None,
        description="Names by which HTTP's callers may ask for this server besides its machine's own, with commas: "
        "embeddings.example.org. Without it, a server that listens on a loopback address alone answers to that "
        "machine's own, any other to all.",
    )
    max_http_connections: int = Field(128, ge=1, le=1_000_000, description="Most HTTP connections at once.")
    http_idle_s: int = Field(75, ge=1, le=3600, description="Seconds after which an idle HTTP connection is closed.")

    @property
    def model_aliases(self) -> tuple[str, ...]:
        """Return the names in `model_alias`."""
        return _names(self.model_alias)

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """Return the names in `allowed_hosts`, in lower case."""
        return frozenset(map(str.lower, _names(self.allowed_hosts)))

    @model_validator(mode="after")
    def _hosts_are_names(self) -> Self:
        """Raises SettingsError where one is written with more than its name."""
        if odd := next((name for name in self.allowed_host_names if set(name) & set("/:*[]@ ")), None):
            raise SettingsError(f"--allowed-hosts {odd}: a host's name alone is wanted, without scheme, port and stars")
        return self


def _names(listed: str | None) -> tuple[str, ...]:
    """Split what has commas between its names."""
    return tuple(name for part in (listed or "").split(",") if (name := part.strip()))


class AccessSettings(Section):
    """Certificates and keys: what proves the server to callers, and callers to it."""

    tls_cert: Path | None = Field(
        None, description="Certificate chain, PEM: both ports speak TLS. Read again when it changes."
    )
    tls_key: Path | None = Field(None, description="Its private key, PEM without a passphrase.")
    tls_client_ca: Path | None = Field(
        None, description="Who signs callers' certificates, PEM: gRPC asks each caller for one (mTLS)."
    )
    api_keys: Path | None = Field(
        None, description="TOML file of API keys and their limits (see bothends key): each call needs one of them."
    )
    metrics: Literal["open", "keys", "off"] = Field(
        "open", description="Who may read /metrics: anybody, holders of an API key, or nobody."
    )
    published_at: str | None = Field(
        None,
        description="Where others reach a container's port; the default is --host. For the warning about open doors.",
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
    """Both ports, and who may use them; certificates and keys are read again when they change."""

    @property
    def offers_http_api(self) -> bool:
        """False too where gRPC asks for certificates: HTTP, which asks for none, would be an open door beside it."""
        return self.http_api and (self.api_keys is not None or self.tls_client_ca is None)


class ObserveSettings(Section):
    """Logs and traces."""

    tracing: bool = Field(
        False, description="Send OpenTelemetry spans by OTLP, as the OTEL_* variables say (an endpoint, a sampler)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged, to standard error; debug has a line for each request."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="How: for a person (console) or a machine (json); auto is console on a terminal."
    )
