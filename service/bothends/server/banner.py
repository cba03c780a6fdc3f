"""The lines that `bothends serve` prints once it is ready: what is served, where, and what to try."""

import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from ..core.embedder import Embedder
from ..engines import native
from ..engines.native_parts import Speeds, remedy
from ..settings import PortSettings
from .grpc.contract import TransportName
from .sockets import bracketed

_SPEAKERS: dict[TransportName, tuple[str, str]] = {
    "native": ("the native transport", "the native transport"),
    "grpcio": ("grpcio", "uvicorn"),
}
"""What speaks gRPC, and what HTTP."""


def slowness(settings: PortSettings, embedder: Embedder, transport: TransportName) -> tuple[str, str] | None:
    """Say why this server answers far fewer sentences than it could here, and what to do; None where it doesn't."""
    if transport == "native":
        return None
    if embedder.model.device != "cpu":
        why = "grpcio and uvicorn pass on far fewer sentences than the native transport does"
    elif native.is_built():
        why = f"grpcio and uvicorn serve {Speeds.of_record().served('transport')}"
    else:
        return f"onnxruntime and grpcio serve {Speeds.of_record().served('engine')}", remedy("engine")
    return why, "leave out --transport grpcio" if settings.transport == "grpcio" else remedy("transport")


def banner(
    settings: PortSettings,
    embedder: Embedder,
    *,
    transport: TransportName,
    port: int,
    http_port: int,
    health_port: int | None,
) -> str:
    """Describe what is served, where, and what to try next."""
    host, test = bracketed(settings.host), embedder.model.self_test
    options = f" --server {host}:{port}"
    options += " --ca FILE" if settings.tls_cert else ""
    options += " --cert FILE --key FILE" if settings.tls_client_ca else ""
    options += " --api-key-file FILE" if settings.api_keys else ""
    scheme = "https" if settings.tls_cert else "http"
    grpc, http = _SPEAKERS[transport]
    slow = slowness(settings, embedder, transport)
    paths = ["/v1/embeddings"] * settings.offers_http_api + ["/metrics", "/healthz", "/readyz"]
    return "\n".join(
        [
            f"bothends {version('bothends')}",
            f"  model      {embedder.model.config.summary()}",
            f"  engine     {embedder.model.provider} on {embedder.model.device}, {embedder.workers} at once",
            f"  self-test  {test.sentences} golden sentences are within {test.max_difference:.1e} of PyTorch",
            f"  gRPC       {host}:{port}  by {grpc}",
            f"  HTTP       {scheme}://{host}:{http_port}  {' '.join(paths)}  by {http}",
            *[f"  health     http://{host}:{health_port}  /healthz /readyz"] * (health_port is not None),
            *[f"  page       {scheme}://{host}:{http_port}/"] * settings.offers_http_api,
            *([] if slow is None else [f"  slow       {slow[0]}", f"  faster     {slow[1]}"]),
            f'  try        {_command()} embed{options} "there will be dragons" "dragons will be there"',
        ]
    )


def _command() -> str:
    """Return what starts this program from where it was started: after `make serve` it is on no path."""
    started = sys.argv[0]
    return started if Path(started).name == "bothends" and shutil.which("bothends") is None else "bothends"
