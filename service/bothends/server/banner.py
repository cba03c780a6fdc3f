"""The lines that `bothends serve` prints once it is ready: what is served, where, and what to try."""

import shutil
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from ..core.embedder import Embedder
from ..core.loaded import LoadedModel
from ..core.supervisor import Supervised
from ..engines import native
from ..engines.fallback import Fallback
from ..engines.native_parts import Speeds, remedy
from ..native_version import misfit
from ..settings import PortSettings
from ..text import shell_word
from .grpc.contract import TransportName
from .sockets import is_unix, shown

_SPEAKERS: dict[TransportName, tuple[str, str]] = {
    "native": ("the native transport", "the native transport"),
    "grpcio": ("grpcio", "uvicorn"),
}
"""What speaks gRPC, and what HTTP."""
_THROUGH_PYTHON = "a call of one sentence takes 1.8 times the processor time"
"""Of a sentence of 15 tokens in float32, with the packaged model (2026-12-01)."""
_TOKENISES = "it reads BERT's tokenizers, and whole words split at white space"


def slowness(settings: PortSettings, models: Sequence[LoadedModel], transport: TransportName) -> tuple[str, str] | None:
    """Explain why the chosen transport answers far fewer sentences than this machine could, and what to do about it.

    Returns a reason and a remedy, or None if the transport is the fast one.
    """
    if transport == "native":
        return None
    if models[0].device == "cpu" and not native.is_built():  # the engine's remedy brings the transport too
        why = misfit() or "the native engine isn't installed"
        return f"{why}; onnxruntime and grpcio serve {Speeds.of_record().served('engine')}", remedy("engine")
    if models[0].device != "cpu" or _fallbacks(models):  # nothing was measured
        why = "grpcio and uvicorn pass on far fewer sentences than the native transport does"
    else:
        why = f"grpcio and uvicorn serve {Speeds.of_record().served('transport')}"
    return why, "leave out --transport grpcio" if settings.transport == "grpcio" else remedy("transport")


def slow_tokenizers(models: Sequence[LoadedModel], transport: TransportName) -> list[tuple[str, str]]:
    """Explain for which models the native transport leaves all calls to Python, since only that can tokenise for them.

    Returns a reason and a remedy for each.
    """
    if transport != "native":
        return []
    lacking = [(model.config.name, model.tokenizer.obstacle) for model in models]
    return [
        (f"native code can't tokenise for {name}, as it doesn't know {obstacle}: {_THROUGH_PYTHON}", _TOKENISES)
        for name, obstacle in lacking
        if obstacle is not None
    ]


def banner(
    settings: PortSettings,
    models: Sequence[Supervised],
    *,
    transport: TransportName,
    port: int,
    http_port: int,
    health_port: int | None,
    apis: Sequence[str],
) -> str:
    """Describe what is served, on which ports, and what to try next.

    `apis` are the paths of the HTTP APIs, if HTTP is on.
    """
    served = partial(shown, settings.host)
    options = f" --server {served(port, 'port')}"
    options += " --ca FILE" if settings.tls_cert else ""
    options += " --cert FILE --key FILE" if settings.tls_client_ca else ""
    options += " --api-key-file FILE" if settings.api_keys else ""
    scheme = "" if is_unix(settings.host) else "https://" if settings.tls_cert else "http://"
    web = f"{scheme}{served(http_port, 'http_port')}"
    has_page = settings.offers_http_api and not is_unix(settings.host)
    grpc, http = _SPEAKERS[transport]
    slow = _slow(settings, [one.embedder.model for one in models], transport)
    paths = [*apis] * settings.offers_http_api + ["/metrics", "/healthz", "/readyz"]
    return "\n".join(
        [
            f"bothends {version('bothends')}",
            *(_described(models[0].embedder) if len(models) == 1 else _listed(models)),
            f"  gRPC       {served(port, 'port')}  by {grpc}",
            f"  HTTP       {web}  {' '.join(paths)}  by {http}",
            *_health(settings.host, health_port),
            *[f"  page       {web}/"] * has_page,
            *[line for why, better in slow for line in (f"  slow       {why}", f"  faster     {better}")],
            f'  try        {_command()} embed{options} "there will be dragons" "dragons will be there"',
        ]
    )


def _health(host: str, port: int | None) -> list[str]:
    if port is None:
        return []
    place = shown(host, port, "health_port")
    return [f"  health     {place if is_unix(host) else f'http://{place}'}  /healthz /readyz"]


def _slow(settings: PortSettings, models: Sequence[LoadedModel], transport: TransportName) -> list[tuple[str, str]]:
    """Say why each model is computed, and all are answered, more slowly than they could be here, and what to do."""
    by_engine = [(fallback.slow(), fallback.remedy) for fallback in _fallbacks(models)]
    by_transport = slowness(settings, models, transport)
    if by_transport is None:
        return [*by_engine, *slow_tokenizers(models, transport)]
    return [*(by_engine if native.is_built() else []), by_transport]  # where it isn't, what is said last says both


def _fallbacks(models: Sequence[LoadedModel]) -> list[Fallback]:
    """Fallbacks of the models, each once."""
    return list(dict.fromkeys(model.fallback for model in models if model.fallback is not None))


def _described(embedder: Embedder) -> list[str]:
    """Describe the only model."""
    model = embedder.model
    return [
        f"  model      {model.config.summary()}",
        f"  engine     {model.provider} on {model.device}, {embedder.workers} at once",
        f"  self-test  {_proof(embedder)}",
    ]


def _listed(models: Sequence[Supervised]) -> list[str]:
    """List several models, the default first: how callers ask for each, and what it is, runs on and takes."""
    lines = []
    for index, (embedder, _, memory_bytes) in enumerate(models):
        model, is_default = embedder.model, "" if index else " (unless a caller names another)"
        lines += [
            f"  model      {embedder.name}{is_default}: {model.config.summary()}",
            f"             {model.provider} on {model.device}, loaded in {memory_bytes >> 20} MiB; {_proof(embedder)}",
        ]
    total, at_once = sum(one.memory_bytes for one in models) >> 20, models[0].embedder.workers
    return [*lines, f"  engines    {at_once} runs at once, of whichever model; {total} MiB for {len(models)} models"]


def _proof(embedder: Embedder) -> str:
    test = embedder.model.self_test
    return f"{test.sentences} golden sentences are within {test.max_difference:.1e} of PyTorch"


def _command() -> str:
    """Return the command that starts this program again; after `make serve` it isn't on the PATH."""
    started = sys.argv[0]
    is_needed = Path(started).name == "bothends" and shutil.which("bothends") is None
    return shell_word(started) if is_needed else "bothends"
