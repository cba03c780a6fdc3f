"""Commands of `bothends`. An expected error is printed as one line.

`explain`, `info`, `health` and `key` are defined here, the other commands of the service in modules of their names.
`import`, `export`, `verify`, `doctor`, `train` and `evaluate` come from packages that the service doesn't import,
through the entry points "bothends.commands".
"""

import json
import os
import sys
from importlib import import_module
from importlib.metadata import EntryPoint, distributions, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click

from ..errors import BothendsError, SettingsError
from ..text import printable
from .choice import did_you_mean
from .client_options import connect, identity, key_options, server_options
from .embed_options import bundle_option
from .output import ended

_timeout_option = click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for the answer.")
_IN_FILES = ("deduplicate", "embed", "search", "serve", "tokenize")
"""Commands in modules of their names, each imported once it is asked for: `serve` needs nothing of the others."""
_OF_FILES = ("embed", "search", "deduplicate")
"""Commands that may ask a server."""
_WITH_TORCH = ("import", "export", "verify", "doctor", "train", "evaluate")
"""Commands that compute by PyTorch."""


class Commands(click.Group):
    """Built-in commands and those of other packages; a bothends error becomes one line and an exit code."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return a context, without colours if NO_COLOR is set."""
        extra.setdefault("color", False if os.environ.get("NO_COLOR") else None)
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the built-in commands, then those of other packages."""
        return [*sorted([*super().list_commands(ctx), *_IN_FILES]), *sorted(_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a built-in command, or one that another package has registered."""
        if cmd_name in _IN_FILES:
            command: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
            return command
        if (here := super().get_command(ctx, cmd_name)) is not None:
            return here
        if (plugin := _plugins().get(cmd_name)) is None:
            return None
        try:
            loaded: click.Command = plugin.load()
        except ModuleNotFoundError as error:
            return _unloadable(cmd_name, error)
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names, or ask whether the nearest one was meant."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            asked = did_you_mean(args[0], self.list_commands(ctx)) or "; bothends --help lists them"
            raise SettingsError(f"there is no command {printable(args[0])!r}{asked}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. The exit code is 2 for wrong settings, and 1 for any other error.

        Where a word is wrong, the error says all; how the command is used is shown where something is missing.
        """
        try:
            return super().invoke(ctx)
        except click.MissingParameter:
            raise
        except (click.BadParameter, click.NoSuchOption) as error:
            raise click.UsageError(error.format_message()) from error
        except BothendsError as error:
            kind = click.UsageError if isinstance(error, SettingsError) else click.ClickException
            raise kind(str(error)) from error
        except ModuleNotFoundError as error:
            raise click.ClickException(_missing(ctx.invoked_subcommand, error)) from error


def _missing(command: str | None, error: ModuleNotFoundError) -> str:
    """Say what `command` lacks, and how to get it."""
    if error.name == "faiss":
        return f"bothends {command} --approximate needs faiss: pip install faiss-cpu"
    extra = _extra(command, error.name)
    if command in _WITH_TORCH and not _is_installed("torch"):
        return (
            f"bothends {command} needs torch: pip install torch --index-url https://download.pytorch.org/whl/cpu "
            f"(or pip takes the CUDA build, 6.2 GB), then pip install 'bothends[{extra}]'"
        )
    elsewhere = ", or ask a server by --server HOST:PORT" if command in _OF_FILES and extra == "cpu" else ""
    return f"bothends {command} needs {error.name}: pip install 'bothends[{extra}]'{elsewhere}"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _unloadable(name: str, error: ModuleNotFoundError) -> click.Command:
    """Make a command that appears in the help, and says what to install because the real one can't be loaded here."""
    problem = _missing(name, error)

    def fail(**_: Any) -> None:
        raise click.ClickException(problem)

    anything = click.Argument(["anything"], nargs=-1, type=click.UNPROCESSED)
    context = {"ignore_unknown_options": True, "help_option_names": []}
    return click.Command(name, context_settings=context, callback=fail, params=[anything], short_help=problem)


def _extra(command: str | None, module: str | None) -> str:
    """Return the extras that install the `module` that `command` lacks, and an engine if there is none."""
    if command in _OF_FILES and module in ("orjson", "pyarrow"):
        return "bulk"
    if command == "embed" and module in ("fsspec", "ray"):
        return _with_engine("ray")
    if module in ("bm25s", "Stemmer"):
        return "search"
    if module == "onnxruntime" or command in ("serve", *_OF_FILES, "explain", "key", "tokenize"):
        return "cpu"
    return _with_engine({"train": "train", "evaluate": "train", "import": "import"}.get(command or "", "export"))


def _with_engine(extra: str) -> str:
    """Add `cpu` to `extra` unless an onnxruntime is installed, since another one would overwrite it."""
    is_here = any(next(iter(distributions(name=name)), None) for name in ("onnxruntime", "onnxruntime-gpu"))
    return extra if is_here else f"cpu,{extra}"


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="bothends.commands")}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("bothends"), message="bothends %(version)s")
def main() -> None:
    """Sentence embeddings on plain CPUs: serve a model, ask for embeddings, bring an encoder of your own.

    \b
      bothends embed "there will be dragons" "dragons will be there"
      bothends search notes.txt "pets that are scared"
      bothends serve
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is


def run(prog_name: str | None = None) -> NoReturn:
    """Run the command that the arguments name, and end the process with its exit code."""
    sys.exit(ended(lambda: main(prog_name=prog_name)))


@main.command(short_help="Show where a sentence's embedding comes from.")
@click.argument("sentence")
@bundle_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every state's numbers.")
def explain(sentence: str, bundle: Path | None, as_json: bool) -> None:
    """Show where the embedding of SENTENCE comes from, and why output[-1] isn't it. Asks no server."""
    from ..core.embedder import Embedder
    from ..core.explain import explain as explained
    from ..model.bundle import Bundle, default_path
    from ..model.versions import newest
    from ..settings import EmbedderSettings, chosen
    from .explain_table import table

    opened = Bundle.open(newest(chosen(bundle) or default_path()))
    longest = opened.config.max_tokens
    most = {"max_request_tokens": longest * (longest + 1), "max_queue_tokens": longest * (longest + 1)}
    with Embedder.load(opened, settings=EmbedderSettings(device="cpu", max_sentences=2 * longest, **most)) as embedder:
        found = explained(sentence, embedder)
    lines = [json.dumps(found.as_json())] if as_json else table(found)
    for line in lines:
        click.echo(line)


@main.command(short_help="Describe the model that a server serves.")
@server_options
@key_options
@_timeout_option
def info(timeout: float, **connection: Any) -> None:
    """Describe the model that a server serves, and its limits."""
    with connect(timeout_s=timeout, **connection) as client:
        model = client.model()
    for field, value in model.ListFields():
        click.echo(f"{field.name:<24}{value}")


@main.command(short_help="Ask whether a server is serving.")
@server_options
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for the answer.")
def health(server: str, model: str | None, timeout: float, **tls: Any) -> None:
    """Exit with 0 where the server says SERVING, each of them where several are named; else with 1 and the reason.

    It says so while all of its models are fit; of one of them, by --model.
    """
    from ..client.health import check

    for address in server.split(","):
        check(address.strip(), timeout_s=timeout, tls=identity(**tls), model=model)
        click.echo(f"{address.strip()} is SERVING{'' if model is None else f' {model}'}")


@main.command(short_help="Make an API key.")
@click.argument("name")
def key(name: str) -> None:
    """Make a key for NAME, shown once, on standard error.

    Standard output has the lines that let its holder in: bothends key NAME >> keys.toml
    """
    from ..server.keys import new

    made, entry = new(name)
    click.echo(entry, nl=False)
    click.echo(made, err=True)
