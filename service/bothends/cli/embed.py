"""`bothends embed`: words in, and what they ask for begun. What a format needs is imported when it is asked for."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click
from click.core import ParameterSource

from ..bulk.engines import BulkEngine, LocalEngine, RemoteEngine
from ..bulk.execute import do
from ..bulk.job import INPUTS, OUTPUTS, Job, format_of
from ..client.retry import Retry
from ..embeddings import Embeddings
from ..errors import SettingsError
from ..options import EmbedOptions, Encoding, Truncation
from ..settings import Precision
from . import embed_few
from .client_options import connect, key_options, server_options

if TYPE_CHECKING:
    from ..encoder import Encoder

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_TIMEOUT_S, _FILE_TIMEOUT_S = 30.0, 300.0
_PERSISTENCE = Retry(attempts=1000, longest_wait_s=5.0, burst=100_000)
"""A long run outlasts a restart of its servers, within each request's time."""
_LOCAL = ("device", "engine", "precision", "workers")
"""Of a model in this process."""
_CONNECTION = ("server", "tls", "ca", "cert", "key", "server_name", "api_key_file")


def vector_options(command: FunctionT) -> FunctionT:
    """What is asked of the vectors."""
    for option in reversed(
        [
            click.option("--truncation", type=click.Choice(get_args(Truncation)), default="start", show_default=True,
                         help="Of a sentence longer than the model reads: keep its start or its end, or refuse it."),
            click.option("--normalize", is_flag=True, help="Scale each vector to length 1."),
            click.option("--dimensions", type=int, help="Numbers a vector; a size that the model was trained for."),
            click.option("--encoding", type=click.Choice(get_args(Encoding)), default="float32", show_default=True,
                         help="How numbers are written."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def file_options(command: FunctionT) -> FunctionT:
    """Which file, to which file."""
    file = click.Path(allow_dash=True)  # no Path: it would make one slash of the two in s3://
    for option in reversed(
        [
            click.option("--input", "source", type=file, metavar="FILE",
                         help="Sentences: .txt (one a line), .csv, .tsv, .jsonl, also .gz, or .parquet; - is stdin. "
                         "With --engine ray also a folder, a pattern, or a URL of them."),
            click.option("--output", type=file, metavar="FILE",
                         help="Vectors: .parquet, .npy or .jsonl; - (the default) is stdout, as jsonl. "
                         "With --engine ray a folder or its URL, of parquet unless --output-format says otherwise."),
            click.option("--column", help="Which column holds the sentences; needed where several could."),
            click.option("--keep", multiple=True, metavar="COLUMN",
                         help="A column to copy to the output (parquet, jsonl); may be given several times."),
            click.option("--overwrite", is_flag=True, help="Replace an output that is there, or was begun otherwise."),
            click.option("--input-format", type=click.Choice(list(dict.fromkeys(INPUTS.values()))),
                         help="Where the name doesn't say so."),
            click.option("--output-format", type=click.Choice(list(dict.fromkeys(OUTPUTS.values()))), help="The same."),
            click.option("--bundle", type=click.Path(path_type=Path),
                         help="Embed in this process, by the model in that folder."),
            click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where that runs."),
            click.option("--engine", type=click.Choice(["auto", "onnxruntime", "native", "ray"]),
                         help="By what, on a CPU; ray: many files at once, by models on a Ray cluster."),
            click.option("--address", envvar="RAY_ADDRESS", metavar="HOST:PORT",
                         help="The Ray cluster; by default one is started here for the run.  [env: RAY_ADDRESS]"),
            click.option("--precision", type=click.Choice(get_args(Precision)),
                         help="Of the native engine; below float32 is faster and less exact."),
            click.option("--workers", type=int,
                         help="Its runs at once on a CPU; by default one a core. With --engine ray, a model's CPUs."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(short_help="Embed sentences, or files of them.")
@click.argument("sentences", nargs=-1)
@file_options
@vector_options
@server_options
@key_options
@click.option("--timeout", type=float, help="Seconds to wait for an answer.  [default: 30; 300 for files]")
@click.option("--json", "as_json", is_flag=True, help="Print whole vectors of SENTENCES, one JSON object each.")
@click.pass_context
def embed(ctx: click.Context, /, sentences: tuple[str, ...], source: str | None, as_json: bool, **flags: Any) -> None:
    """Embed SENTENCES and show how alike they are, or embed a file of them.

    \b
      bothends embed "there will be dragons" "dragons will be there"
      bothends embed --input reviews.csv --column text --output reviews.parquet
      cat lines.txt | bothends embed - | head

    SENTENCES are embedded by a server, unless --bundle names a model. Files are embedded in this process, by the
    packaged model or --bundle; by servers where --server or BOTHENDS_SERVER says which.

    Rows that can't be embedded are listed in OUTPUT.bad.jsonl (for stdout on stderr), each with its reason. A run that
    was stopped or killed goes on where it was when the same command is given again.
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if {"bundle", "server"} <= given:
        raise SettingsError("--bundle embeds in this process, --server elsewhere; give one of them")
    if sentences == ("-",) and source is None:
        sentences, source = (), "-"
    if bool(sentences) == (source is not None):
        raise SettingsError("give SENTENCES, or --input FILE, or - for sentences from stdin; one of these")
    if as_json and source is not None:
        raise SettingsError("--json is for SENTENCES; what a file becomes, --output says")
    names_servers = ctx.get_parameter_source("server") is not ParameterSource.DEFAULT
    is_local = "bundle" in given or (source is not None and not names_servers)
    if not is_local and (of_server := given & set(_LOCAL)):
        raise SettingsError(f"--{min(of_server)} is for a model in this process; a server has its own")
    is_ray = flags["engine"] == "ray"
    if "address" in given and not is_ray:
        raise SettingsError("--address is for --engine ray")
    asked = cast("EmbedOptions", {name: flags.pop(name) for name in EmbedOptions.__annotations__})
    connection = {name: flags.pop(name) for name in _CONNECTION}
    if source is None:
        _check_few(given, asked, as_json=as_json)
        embed_few.show(sentences, _few(sentences, asked, connection, **flags), as_json=as_json)
    elif is_ray:
        ctx.exit(_files(source, asked, **flags))
    else:
        ctx.exit(_file(source, asked, None if is_local else connection, **flags))


def _check_few(given: set[str], asked: EmbedOptions, *, as_json: bool) -> None:
    for name in ("output", "column", "keep", "overwrite", "input_format", "output_format"):
        if name in given:
            raise SettingsError(f"--{name.replace('_', '-')} is for files; name one with --input")
    if asked["encoding"] != "float32" and not as_json:
        raise SettingsError("--encoding is for files and --json")


def _few(
    sentences: tuple[str, ...], asked: EmbedOptions, connection: dict[str, Any], *, bundle: Path | None, **flags: Any
) -> Embeddings:
    if bundle is None:
        with connect(timeout_s=flags["timeout"] or _TIMEOUT_S, **connection) as client:
            return client.embed(sentences, **asked)
    with _load(bundle, flags) as encoder:
        return encoder.embed(sentences, **asked)


def _load(bundle: Path | None, flags: dict[str, Any]) -> "Encoder":
    from ..encoder import Encoder

    return Encoder.load(bundle, **{name: flags[name] for name in _LOCAL if flags[name] is not None})


def _files(source: str, asked: EmbedOptions, **flags: Any) -> int:
    """The exit code."""
    if "-" in (source, flags["output"] or "-"):
        raise SettingsError("--engine ray reads and writes files: --input names them, --output the folder for vectors")
    from ..bulk.ray.cluster import embed as embed_files
    from ..bulk.ray.plan import Plan
    from ..bulk.ray.storage import absolute

    model = {name: flags[name] for name in _LOCAL if name != "engine" and flags[name] is not None}
    bundle = flags["bundle"] and str(flags["bundle"].absolute())
    formats = flags["input_format"], flags["output_format"] or "parquet"
    paths = absolute(source), absolute(flags["output"])
    columns = flags["column"], flags["keep"]
    plan = Plan(*paths, *formats, *columns, flags["overwrite"], asked, bundle, model, uuid.uuid4().hex)
    return embed_files(plan, flags["address"])


def _file(source: str, asked: EmbedOptions, connection: dict[str, Any] | None, **flags: Any) -> int:
    """The exit code."""
    inputs, outputs = _path(source), _path(flags["output"])
    job = Job(
        inputs,
        outputs,
        format_of(inputs, flags["input_format"], INPUTS, piped="txt", flag="--input-format"),
        format_of(outputs, flags["output_format"], OUTPUTS, piped="jsonl", flag="--output-format"),
        flags["column"],
        flags["keep"],
        flags["overwrite"],
        asked,
    )

    def engine() -> BulkEngine:
        if connection is not None:
            timeout_s = flags["timeout"] or _FILE_TIMEOUT_S
            return RemoteEngine(connect(timeout_s=timeout_s, retry=_PERSISTENCE, **connection), asked)
        return LocalEngine(_load(flags["bundle"], flags), asked)

    return do(job, engine)


def _path(path: str | None) -> Path | None:
    """None for standard input or output."""
    return None if path is None or path == "-" else Path(path)
