"""Application for Ray Serve, whose replicas are embedders: `serve run bothends.ray:app`.

Ray starts, scales, replaces and finds replicas; server/ray/ has the code of a replica.
"""

import logging
import os
import socket
from importlib.metadata import version
from typing import Any

import click

try:
    import ray
    from pydantic import BaseModel, ConfigDict, Field, ValidationError
    from ray import serve
    from ray.serve.config import gRPCOptions as GrpcOptions
    from ray.serve.scripts import parse_runtime_env_args
except ModuleNotFoundError as missing:
    needed = f"bothends.ray needs {missing.name}: pip install 'bothends[cpu,ray]'"
    raise ModuleNotFoundError(needed, name=missing.name) from None

from .errors import BothendsError, SettingsError, StartupError
from .server.ray.replica import Replica
from .settings import ConfigFile, Settings, flag
from .validation import first_problem

_log = logging.getLogger(__name__)
_SERVICES = "bothends.server.ray.call.add_services"
_HEALTH_S = 2.0
"""Seconds between Ray's checks of a replica; a dead one is replaced after this time plus a start."""
_CONNECT_S = 5.0
_OPEN = (
    "Ray's gRPC proxies listen on every interface, whatever BOTHENDS_HOST says, and ask for no API key: whoever "
    "reaches them may call; set BOTHENDS_API_KEYS, or let a firewall decide"
)
_FILES = ("bundle", "api_keys")
_RUNTIME_ENV = ("runtime_env", "runtime_env_json", "working_dir")
_NOT_RAYS = ("tls_cert", "tls_key", "tls_client_ca")


class Arguments(BaseModel):
    """Arguments given through Ray, as in `serve run bothends.ray:app cpus=2`.

    The service's own settings are BOTHENDS_*.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_replicas: int = Field(1, ge=0)
    max_replicas: int = Field(4, ge=1)
    target_ongoing_requests: float = Field(32, gt=0)
    cpus: float = Field(1, ge=0)
    gpus: float = Field(0, ge=0)


def app(arguments: dict[str, Any]) -> Any:
    """Make the application that Ray deploys.

    Connects to Ray, and starts Serve with this project's gRPC services if needed.
    """
    try:
        asked, settings = _asked(arguments), _settings()
        if settings.api_keys is None:
            _log.warning(_OPEN)
        if not ray.is_initialized():
            _start_serve(settings)
    except BothendsError as error:
        raise click.ClickException(str(error)) from None  # one line by `serve run`
    given = settings.model_dump(mode="json", exclude_unset=True)
    given.setdefault("workers", max(1, round(asked.cpus)))  # else each replica had as many as its node has cores
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name="bothends",
        autoscaling_config={
            "min_replicas": asked.min_replicas,
            "max_replicas": asked.max_replicas,
            "target_ongoing_requests": asked.target_ongoing_requests,
        },
        ray_actor_options={"num_cpus": asked.cpus, "num_gpus": asked.gpus},
        # More than the gate's limit: one too many is refused there, with the time after which to come again.
        max_ongoing_requests=2 * settings.max_concurrent_requests,
        max_queued_requests=2 * settings.max_concurrent_requests,
        max_surge_percent=100,  # a replica stops only once another has taken its place
        health_check_period_s=_HEALTH_S,
        logging_config=_logging(settings),
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=settings.drain_s,
    )
    return deployment.bind(given, version("bothends"))


def _asked(arguments: dict[str, Any]) -> Arguments:
    """Parse the arguments. Raises SettingsError."""
    try:
        asked = Arguments.model_validate(arguments)
    except ValidationError as error:
        first = first_problem(error)
        known = ", ".join(Arguments.model_fields)
        raise SettingsError(f"{first.path[0]}={first.found}: {first.message}; Ray's arguments are {known}") from None
    if asked.min_replicas > asked.max_replicas:
        raise SettingsError(f"min_replicas={asked.min_replicas} is more than max_replicas={asked.max_replicas}")
    return asked


def _settings() -> Settings:
    """Read the environment, with whole paths, since replicas work in folders of their own. Raises SettingsError."""
    settings = Settings.load({}, os.environ, ConfigFile.chosen(None, os.environ))
    for name in _NOT_RAYS:
        if getattr(settings, name):
            raise SettingsError(f"{flag(name)}: Ray's gRPC proxies speak no TLS; put what does in front of them")
    whole: dict[str, Any] = {name: path.absolute() for name in _FILES if (path := getattr(settings, name)) is not None}
    if settings.bundles:
        whole["bundles"] = tuple(bundle.absolute() for bundle in settings.bundles)
    return settings.model_copy(update=whole)


def _start_serve(settings: Settings) -> None:
    """Start Serve as `serve run` would next, but with our services, for which it has no flag. Raises StartupError."""
    context = click.get_current_context(silent=True)
    flags = context.params if context else {}
    address = flags.get("address") or os.environ.get("RAY_ADDRESS")
    environment = parse_runtime_env_args(**{name: flags.get(name) for name in _RUNTIME_ENV})
    _must_listen(address)
    try:
        ray.init(address=address, namespace="serve", runtime_env=environment)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise StartupError(f"no Ray cluster at {address}: {str(error).splitlines()[0]}") from error
    serve.start(
        http_options={"host": settings.host, "port": settings.http_port},
        grpc_options=GrpcOptions(port=settings.port, grpc_servicer_functions=[_SERVICES], enable_reflection=True),
        logging_config=_logging(settings),
    )


def _logging(settings: Settings) -> dict[str, bool]:
    """Log a line for each request at debug only, as without Ray."""
    return {"enable_access_log": settings.log_level == "debug"}


def _must_listen(address: str | None) -> None:
    """Raise StartupError if nothing listens, since Ray itself would try for half a minute or more."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        return  # none: it is this machine's cluster, or a new one
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise StartupError(f"no Ray cluster at {address}: {error}") from error
