"""`bothends serve`: its options, which are the settings, its help, and the server from start to stop."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ..errors import BothendsError
from .choice import Choice
from .grouped import SHOWS_ALL, GroupedCommand, GroupedOption, option
from .output import OutputError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo  # which a client alone doesn't have

    from ..settings import Option, Settings

_log = logging.getLogger(__name__)
_GPU_LOST = 75
"""Exit code of a server whose GPU doesn't come back in its process: sysexits' EX_TEMPFAIL, try again."""
_VALUES_WIDTH = 44
"""Column width for a setting and its value."""
_METAVARS = {
    **dict.fromkeys(("ca", "cert", "key", "keys"), "FILE"),
    **dict.fromkeys(("alias", "hosts"), "NAMES"),
    "bundle": "[NAME=]FOLDER",
    "bytes": "BYTES",
    "engine": "[auto|onnxruntime|native[/LEVEL]]",
    "host": "ADDRESS",
    "port": "PORT",
    "s": "SECONDS",
}
"""What the help calls the value of an option, by the last word of its name."""


class ServeCommand(GroupedCommand):
    """Command whose options are the settings. Their names, defaults and help are defined in settings/."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return one option for each setting that users may choose, by groups, then those of the command itself."""
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
        kind, metavar = Choice(choices), _METAVARS.get(name)
    elif Path in choices:
        kind = click.Path()
    text = f"{field.description}  [default: {shown}]" if isinstance(default, int | float | str) else field.description
    many = name == "bundle"
    return GroupedOption(
        [names],
        type=kind,
        default=() if many else None,
        multiple=many,
        metavar=metavar,
        help=text,
        **shown_as._asdict(),
    )


def _show_all(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        ctx.meta[SHOWS_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


@click.command(cls=ServeCommand, short_help="Serve a model over gRPC and HTTP.")
@option(
    "Running", "--config", type=click.Path(dir_okay=False), metavar="FILE",
    help="TOML file of settings, named as these flags with underscores; a flag wins over it, and so does a variable."
    "  [env: BOTHENDS_CONFIG]",
)  # fmt: skip
@option("Running", "--show-settings", is_flag=True, help="Print the settings, each with where it is from, and exit.")
@click.option(
    "--help-all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_all,
    help="Show all options, the rare ones too, and exit.",
)
def serve(config: str | None, show_settings: bool, **flags: str | bool | tuple[str, ...] | None) -> None:
    """Serve a model, or several, over gRPC and HTTP, with metrics and a page.

    The environment sets the same options, as BOTHENDS_PORT, and so does a file by --config. A flag wins over a
    variable, a variable over the file.
    """
    from ..settings import ConfigFile, Settings

    given = {
        name: value if isinstance(value, tuple) else str(value)
        for name, value in flags.items()
        if value not in (None, ())
    }
    file = ConfigFile.chosen(config, os.environ)
    settings = Settings.load(given, os.environ, file)
    if show_settings:
        click.echo("\n".join(_shown(settings, Settings.given(given, os.environ, file))))
    else:
        _serve(settings)


def _serve(settings: "Settings") -> None:
    """Run a server from start to stop, and end the process if its GPU is lost."""
    from ..observe import tracing
    from ..observe.logs import configure
    from ..server.server import Server
    from ..server.sockets import allow_sockets
    from .signals import started

    configure(settings.log_level, sys.stderr)
    send_last_spans = tracing.export() if settings.tracing else None
    if settings.api_keys is None and os.environ.get("BOTHENDS_API_KEY"):
        _log.warning(
            "BOTHENDS_API_KEY is a client's own key, this server asks for none; BOTHENDS_API_KEYS names its keys"
        )
    if (max_files := allow_sockets(2 * settings.max_connections)) is not None:
        _log.warning(
            "this process may have no more than %d files open, too few for %d connections on each port: "
            "raise that limit (ulimit -Hn), or lower --max-connections",
            max_files,
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


def _shown(settings: "Settings", given: Mapping[str, tuple[object, str]]) -> Iterator[str]:
    """Yield lines of a settings file with what is in force and from where. Defaults are comments.

    No setting is a secret itself: keys and certificates are in files, whose names are shown.
    """
    from ..settings import GROUPS

    options = settings.options()
    for group in GROUPS:
        yield f"# {group}"
        for name in (name for name, shown in options.items() if shown.group == group):
            value = getattr(settings, name)
            if name == "bundle" and settings.bundles:
                value = [str(bundle) for bundle in settings.bundles]
            is_toml = isinstance(value, bool | int | float | list)
            text = "" if value is None else json.dumps(value if is_toml else str(value))
            origin = given[name][1].removesuffix(":") if name in given else "default"
            yield f"{'' if name in given else '# '}{name} = {text}".ljust(_VALUES_WIDTH) + f" # {origin}"
        yield ""


def _greet(banner: str) -> None:
    """Print the banner. A full disk or a closed pipe at the output doesn't prevent serving."""
    try:
        click.echo(banner)
    except (OSError, OutputError) as error:
        _log.warning("the banner isn't printed: %s", error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python would try again as it ends
