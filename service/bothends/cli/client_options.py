"""Flags for calling a server, and the client made from them. A key is never a flag, since `ps` shows flags."""

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SettingsError
from .grouped import FunctionT, given, option, options

if TYPE_CHECKING:  # for `bothends serve` not to load gRPC's client
    from ..client.channel import TLS
    from ..client.sync import Client

SERVER = "127.0.0.1:50051"
"""Address of a server on this machine that was started without flags."""
CONNECTION = ("server", "model", "tls", "ca", "cert", "key", "server_name", "api_key_file")
"""Parameters that these flags become."""
_GROUP = "By a server"
_FILE = click.Path(dir_okay=False, path_type=Path)
_RETRY = {"attempts": 3}
"""Retries of a short command: a person who waits for an answer would rather know now."""


def _server(**about: Any) -> Callable[[FunctionT], FunctionT]:
    return options(
        option(_GROUP, "--server", envvar="BOTHENDS_SERVER", metavar="HOST:PORT", **about),
        option(_GROUP, "--model", metavar="NAME",
               help="Which of its models, by the name that it has there; without it, the first."),
        option(_GROUP, "--tls", is_flag=True, help="Connect by TLS; implied by the flags below."),
        option(_GROUP, "--ca", type=_FILE, envvar="BOTHENDS_CA",
               help="Authorities to trust, PEM; the default is gRPC's own list.  [env: BOTHENDS_CA]"),
        option(_GROUP, "--cert", type=_FILE, help="This client's certificate, PEM, where the server asks for one."),
        option(_GROUP, "--key", type=_FILE, help="The certificate's private key, PEM."),
        option(_GROUP, "--server-name", metavar="NAME",
               help="Name in the server's certificate, where it isn't the address's host."),
    )  # fmt: skip


server_options = _server(
    default=SERVER,
    show_default=True,
    help="Address of gRPC; several IP addresses with commas.  [env: BOTHENDS_SERVER]",
)
"""Where the server is, and how it is known to be the right one."""
optional_server_options = _server(
    help="Address of gRPC; several IP addresses with commas. Without it, a flag below asks "
    f"{SERVER}.  [env: BOTHENDS_SERVER]",
)
"""The same, for a command that may ask a server and need not."""
key_options = option(
    _GROUP, "--api-key-file", type=_FILE, envvar="BOTHENDS_API_KEY_FILE",
    help="File that holds the API key.  [env: BOTHENDS_API_KEY_FILE, or BOTHENDS_API_KEY with the key itself]",
)  # fmt: skip
"""Which key the caller has."""
timeout_option = option(
    _GROUP, "--timeout", type=float, metavar="SECONDS",
    help="Time to wait for its answer.  [default: 30; 300 for files]",
)  # fmt: skip
"""How long a person waits."""


def asks_server(ctx: click.Context) -> bool:
    """Return True if a flag of the connection was given, or BOTHENDS_SERVER names a server."""
    return bool(given(ctx) & set(CONNECTION)) or ctx.params["server"] is not None


def identity(
    *, tls: bool, ca: Path | None, cert: Path | None, key: Path | None, server_name: str | None
) -> "TLS | None":
    """Return the TLS settings of `--tls` and the related flags; None for no TLS."""
    from ..client.channel import TLS

    return TLS(ca, cert, key, server_name) if tls or ca or cert or key or server_name else None


def connect(
    server: str | None,
    *,
    model: str | None,
    timeout_s: float,
    api_key_file: Path | None,
    retry: Mapping[str, Any] = _RETRY,
    **tls: Any,
) -> "Client":
    """Make a client from the flags, with a `Retry` of these arguments. Its warnings are printed, one a line."""
    from ..client.retry import Retry
    from ..client.sync import Client

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        api_key, secured = _api_key(api_key_file), identity(**tls) or False
        tries, address = Retry(**retry), server or SERVER
        client = Client(address, model=model, timeout_s=timeout_s, api_key=api_key, tls=secured, retry=tries)
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
