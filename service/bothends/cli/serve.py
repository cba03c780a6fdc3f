"""`bothends serve`: its options, which are the settings, its help, and a server from its start to its stop."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ..errors import BothendsError
from .grouped import SHOWS_ALL, GroupedCommand, GroupedOption

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo  # which a client alone doesn't have

    from ..settings import Option

_log = logging.getLogger(__name__)
_GPU_LOST = 75
"""Exit code of a server whose GPU doesn't come back in its process: sysexits' EX_TEMPFAIL, try again."""
_METAVARS = {
    **dict.fromkeys(("ca", "cert", "key", "keys"), "FILE"),
    **dict.fromkeys(("alias", "hosts"), "NAMES"),
    "bundle": "FOLDER",
    "bytes": "BYTES",
    "engine": "[auto|onnxruntime|native[/LEVEL]]",
    "host": "ADDRESS",
    "port": "PORT",
    "s": "SECONDS",
}
"""What the help calls the value of an option, by the last word of its name."""


class ServeCommand(GroupedCommand):
    """A command whose options are the settings. Their names, defaults and help stand in settings/."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return one option for each setting that people may choose, by groups, then those of the command itself."""
        from ..settings import GROUPS, Settings

        fields, options = Settings.model_fields, Settings.options()
        ordered = sorted(options, key=lambda name: GROUPS.index(options[name].group))
        return [*(_option(name, fields[name], options[name]) for name in ordered), *super().get_params(ctx)]


def _option(name: str, field: "FieldInfo", shown_as: "Option") -> click.Option:
    """Make the option of a setting. Its value stays as given: the settings check it, with those of the environment."""
    from ..settings import flag

    choices, default = get_args(field.annotation), field.default
    shown: object = f"{default:g}" if isinstance(default, float) else default
    names = flag(name)
    kind: click.ParamType[Any] | None = None
    metavar: str | None = _METAVARS.get(name.rpartition("_")[2], "N")
    if field.annotation is bool:
        names, shown, metavar = f"{names}/{flag('no_' + name)}", "on" if default else "off", None
    elif choices and isinstance(choices[0], str):
        kind, metavar = click.Choice(choices), _METAVARS.get(name)
    elif Path in choices:
        kind = click.Path()
    text = f"{field.description}  [default: {shown}]" if isinstance(default, int | float | str) else field.description
    return GroupedOption([names], type=kind, default=None, metavar=metavar, help=text, **shown_as._asdict())


def _show_all(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        ctx.meta[SHOWS_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


@click.command(cls=ServeCommand, short_help="Serve a model over gRPC and HTTP.")
@click.option(
    "--help-all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_all,
    help="Show all options, the rare ones too, and exit.",
)
def serve(**flags: str | bool | None) -> None:
    """Serve a model over gRPC and HTTP, with metrics and a page.

    The environment sets the same options, as BOTHENDS_PORT; a flag wins.
    """
    from ..observe import tracing
    from ..observe.logs import configure
    from ..server.server import Server
    from ..server.sockets import allow_sockets
    from ..settings import Settings
    from .signals import started

    settings = Settings.load({name: str(value) for name, value in flags.items() if value is not None}, os.environ)
    configure(settings.log_level, sys.stderr)
    send_last_spans = tracing.export() if settings.tracing else None
    if settings.api_keys is None and os.environ.get("BOTHENDS_API_KEY"):
        _log.warning(
            "BOTHENDS_API_KEY is a client's own key, this server asks for none; BOTHENDS_API_KEYS names its keys"
        )
    if (most_files := allow_sockets(2 * settings.max_connections)) is not None:
        _log.warning(
            "this process may have no more than %d files open, too few for %d connections on each port: "
            "raise that limit (ulimit -Hn), or lower --max-connections",
            most_files,
            settings.max_connections,
        )
    server = Server(settings)
    with started(server):
        _greet(server.banner())
        server.wait()
        everything_answered = server.stop()
        if send_last_spans:
            send_last_spans()
        if server.is_lost:
            sys.stdout.flush()
            os._exit(
                _GPU_LOST
            )  # what CUDA and a thread that hangs in it do at a process's usual end can't be relied on
    if not everything_answered:
        raise BothendsError(f"not everything was answered within {settings.drain_s:g} s")


def _greet(banner: str) -> None:
    """Print the banner. A full disk or a closed pipe where it goes is no reason not to serve."""
    try:
        click.echo(banner)
    except OSError as error:
        _log.warning("the banner couldn't be printed: %s", error.strerror)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python would try again as it ends
