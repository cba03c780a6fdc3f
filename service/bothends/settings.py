"""Flags and environment to one frozen object, read once. Every knob stands here: name, default, help, check."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import SettingsError
from .options import Precision
from .validation import first_problem

Level = Literal["auto", "avx512", "avx512f", "avx2", "portable"]
"""Of instructions that the native engine has code for."""

_OF_NATIVE = {"precision": "float32", "native_level": "auto"}
"""Settings of the native engine, and what leaves onnxruntime a choice."""
ENV_PREFIX = "BOTHENDS_"
_INT32 = 2**31 - 1
_CLIENT_VARIABLES = {"BOTHENDS_SERVER", "BOTHENDS_CA", "BOTHENDS_API_KEY", "BOTHENDS_API_KEY_FILE"}
"""Read by the command line's client side; a server may be started where they are set."""


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseModel):
    """How a server runs. A field `max_tokens` is the flag `--max-tokens` and the variable BOTHENDS_MAX_TOKENS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: Path | None = Field(
        None, description="Folder of the model to serve, or of its versions; the default is the packaged English one."
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address that gRPC and HTTP listen on.")
    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    http_port: int = Field(
        8080, ge=0, le=65535, description="Port of the HTTP API, /metrics, /healthz and /readyz; 0 takes a free one."
    )
    http_api: bool = Field(
        True, description="Answer embeddings over HTTP too, as OpenAI's API has them, and serve a page at /."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where the model runs: auto, cpu or cuda. Auto is cuda where onnxruntime has it.",
    )
    engine: Literal["auto", "onnxruntime", "native"] = Field(
        "auto",
        description="What runs it on a CPU: onnxruntime or native. Auto is native where it is installed, knows the "
        "encoder and passes the self-test.",
    )
    precision: Precision = Field(
        "float32",
        description="Of the native engine: bf16 and int8 are faster and less exact; the model's card has figures.",
    )
    native_level: Level = Field(
        "auto", description="Instructions of the native engine; auto is the best that the processor has."
    )
    workers: int = Field(
        default_factory=_usable_cpus,
        ge=1,
        le=1024,
        description="Model runs at once on a CPU, one thread each; the default is one a core.",
    )
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
    reflection: bool = Field(
        True, description="Answer gRPC reflection, by which grpcurl and its like find the methods."
    )
    metrics: Literal["open", "keys", "off"] = Field(
        "open", description="Who may read /metrics: anybody, holders of an API key, or nobody."
    )
    published_at: str | None = Field(
        None,
        description="Where others reach a container's port; the default is --host. For the warning about open doors.",
    )
    max_sentences: int = Field(1024, ge=1, le=1_000_000, description="Most sentences in one request.")
    max_sentence_chars: int = Field(65536, ge=1, le=_INT32, description="Most characters in one sentence.")
    max_message_bytes: int = Field(4 << 20, ge=1024, le=_INT32, description="Largest request in bytes.")
    max_request_tokens: int = Field(
        262144, ge=1, le=_INT32, description="Most tokens in one request, counted once its sentences are cut."
    )
    max_batch_rows: int | None = Field(
        None,
        ge=1,
        le=_INT32,
        description="Most sentences in one model run; the default is 16 on a CPU (32 for a wide encoder), "
        "1024 on a GPU.",
    )
    max_batch_tokens: int = Field(16384, ge=1, le=_INT32, description="Most tokens in one model run, padding included.")
    max_queue_tokens: int = Field(
        262144, ge=1, le=_INT32, description="Most tokens that may wait; beyond it requests are refused."
    )
    max_concurrent_requests: int = Field(
        512, ge=1, le=100_000, description="Most requests in progress; beyond it they are refused."
    )
    engine_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds that one model run may take before it is given up."
    )
    reload_s: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds between looks for a newer model, changed certificates and keys; 0 looks on SIGHUP only.",
    )
    max_connections: int = Field(512, ge=1, le=1_000_000, description="Most gRPC connections at once.")
    max_connection_requests: int = Field(
        256, ge=1, le=100_000, description="Most requests at once of one gRPC connection; more wait at the caller."
    )
    max_http_connections: int = Field(128, ge=1, le=1_000_000, description="Most HTTP connections at once.")
    max_header_bytes: int = Field(
        16384, ge=1024, le=1 << 20, description="Most bytes of a request's headers (gRPC metadata)."
    )
    handshake_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds that a gRPC connection's handshake and an HTTP request may take to come.",
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
    http_idle_s: int = Field(5, ge=1, le=3600, description="Seconds after which an idle HTTP connection is closed.")
    selftest_s: float = Field(
        60.0,
        ge=0,
        le=86400,
        description="Seconds between self-tests of the live model, at least 20 times as long as one took at the start; "
        "0 tests it at start only.",
    )
    drain_s: float = Field(
        30.0, ge=0, le=3600, description="Seconds that accepted requests get to finish after SIGTERM."
    )
    tracing: bool = Field(
        False, description="Send OpenTelemetry spans by OTLP, as the OTEL_* variables say (an endpoint, a sampler)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged, to standard error; debug has a line for each request."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="How: for a person (console) or a machine (json); auto is console on a terminal."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Raises SettingsError where one setting needs another."""
        for name, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_client_ca", "tls_cert")):
            if getattr(self, name) and not getattr(self, other):
                raise SettingsError(f"{flag(name)} needs {flag(other)}")
        if self.metrics == "keys" and not self.api_keys:
            raise SettingsError("--metrics keys needs --api-keys")
        for name, default in _OF_NATIVE.items():
            if self.engine == "onnxruntime" and getattr(self, name) != default:
                raise SettingsError(f"{flag(name)} {getattr(self, name)} needs --engine native")
        if self.needs_native and self.device == "cuda":
            raise SettingsError("--device cuda runs float32 on onnxruntime: the native engine is for CPUs")
        return self

    @property
    def needs_native(self) -> bool:
        """Whether no other engine will do."""
        return self.engine == "native" or any(getattr(self, name) != default for name, default in _OF_NATIVE.items())

    @property
    def offers_http_api(self) -> bool:
        """False too where gRPC asks for certificates: HTTP, which asks for none, would be an open door beside it."""
        return self.http_api and (self.api_keys is not None or self.tls_client_ca is None)

    @classmethod
    def load(cls, flags: Mapping[str, str], environment: Mapping[str, str]) -> Self:
        """Settings from the flags given (by field name), then the environment, then the defaults.

        Raises SettingsError that names the flag or variable at fault.
        """
        known = {ENV_PREFIX + name.upper(): name for name in cls.model_fields}
        values: dict[str, str] = {}
        for variable, value in environment.items():
            if variable in known:
                if value:  # an empty variable is an unset one, as compose files write it
                    values[known[variable]] = value
            elif variable.startswith(ENV_PREFIX) and variable not in _CLIENT_VARIABLES:
                raise SettingsError(f"unknown setting {variable}{_hint(variable, known)}")
        for name in flags:
            if name not in cls.model_fields:
                raise SettingsError(f"unknown setting {name}{_hint(name, cls.model_fields)}")
        try:
            return cls.model_validate(values | dict(flags))
        except ValidationError as error:
            first = first_problem(error)
            name = first.path[0]
            source = flag(name) if name in flags else ENV_PREFIX + name.upper()
            raise SettingsError(f"{source} {first.found}: {first.lower_message}") from error


def flag(name: str) -> str:
    """The command line's name of a setting: max_tokens is --max-tokens."""
    return "--" + name.replace("_", "-")


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
