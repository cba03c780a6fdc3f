"""Flags for calling a server, and the client made from them. A key is never a flag, since `ps` shows those."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..client.channel import TLS
from ..client.retry import Retry
from ..client.sync import Client
from ..errors import SettingsError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_RETRY = Retry(attempts=3)
"""Retries of a short command: a person who waits for an answer would rather know now."""


def server_options(command: FunctionT) -> FunctionT:
    """Add the flags that say where the server is, and how it is known to be the right one."""
    file = click.Path(dir_okay=False, path_type=Path)
    for option in reversed(
        [
            click.option("--server", default="127.0.0.1:50051", show_default=True, envvar="BOTHENDS_SERVER",
                         help="host:port of gRPC; several IP addresses with commas.  [env: BOTHENDS_SERVER]"),
            click.option("--tls", is_flag=True, help="Connect by TLS; implied by the flags below."),
            click.option("--ca", type=file, envvar="BOTHENDS_CA",
                         help="Authorities to trust, PEM; the default is gRPC's own list.  [env: BOTHENDS_CA]"),
            click.option("--cert", type=file, help="This client's certificate, PEM, where the server asks for one."),
            click.option("--key", type=file, help="The certificate's private key, PEM."),
            click.option("--server-name", help="Name in the server's certificate, where it isn't the address's host."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def key_options(command: FunctionT) -> FunctionT:
    """Add the flag that says which key the caller has."""
    file = click.Path(dir_okay=False, path_type=Path)
    return click.option(
        "--api-key-file", type=file, envvar="BOTHENDS_API_KEY_FILE",
        help="File that holds the API key.  [env: BOTHENDS_API_KEY_FILE, or BOTHENDS_API_KEY with the key itself]",
    )(command)  # fmt: skip


def identity(*, tls: bool, ca: Path | None, cert: Path | None, key: Path | None, server_name: str | None) -> TLS | None:
    """Return what `--tls` and its companions say; None for no TLS."""
    return TLS(ca, cert, key, server_name) if tls or ca or cert or key or server_name else None


def connect(server: str, *, timeout_s: float, api_key_file: Path | None, retry: Retry = _RETRY, **tls: Any) -> Client:
    """Make a client from the flags. Its warnings are printed, a line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = Client(
            server, timeout_s=timeout_s, api_key=_api_key(api_key_file), tls=identity(**tls) or False, retry=retry
        )
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)
    return client


def _api_key(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("BOTHENDS_API_KEY") or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"can't read the API key in {file}: {reason}") from None
