"""`bothends serve`: its options, which are the settings, its help, and a server from its start to its stop."""

import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ..errors import BothendsError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo  # which a client alone doesn't have

_log = logging.getLogger(__name__)
_GPU_LOST = 75
"""Exit code of a server whose GPU doesn't come back in its process: sysexits' EX_TEMPFAIL, try again."""
_SHOWS_ALL = "bothends.shows_all_options"
"""Key in a context's `meta`: true once `--help-all` was given."""
_NAMES_WIDTH = 27
"""Width of the help's first column. What is longer has a line of its own."""
_UNBROKEN = {ord(" "): 0xA0, ord("-"): 0x2011}
"""Unicode's characters for those at which the help's lines aren't to be broken."""
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


class ServeCommand(click.Command):
    """A command whose options are the settings. Their names, defaults and help stand in settings/."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return one option for each setting that people may choose, then those of the command itself."""
        from ..settings import Settings

        fields = Settings.model_fields
        return [*(_option(name, fields[name]) for name in Settings.options()), *super().get_params(ctx)]

    def get_help(self, ctx: click.Context) -> str:
        """Return the help, with the spaces and hyphens again that lines weren't to be broken at."""
        return super().get_help(ctx).translate({kept: broken for broken, kept in _UNBROKEN.items()})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups, rare ones only where all are asked for."""
        from ..settings import GROUPS, Settings

        shown = Settings.options()
        sections: dict[str, list[tuple[str, str]]] = {group: [] for group in (*GROUPS, "Help")}
        for parameter in self.get_params(ctx):
            option = shown.get(parameter.name or "")
            names, text = parameter.get_help_record(ctx) or ("", "")
            if option is None or not option.is_rare or ctx.meta.get(_SHOWS_ALL):
                text = re.sub(r"(?<=default:) |-", lambda found: chr(_UNBROKEN[ord(found[0])]), text)
                sections[option.group if option else "Help"].append((names.ljust(_NAMES_WIDTH), text))
        for group, rows in sections.items():
            if rows:
                with formatter.section(click.style(group, bold=True)):
                    formatter.write_dl(rows, col_max=_NAMES_WIDTH)


def _option(name: str, field: "FieldInfo") -> click.Option:
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
    return click.Option([names], type=kind, default=None, metavar=metavar, help=text)


def _show_all(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        ctx.meta[_SHOWS_ALL] = True
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
