"""`bothends embed`: prints the vectors of a few sentences, or embeds a file.

File formats are imported only for files.
"""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click

from ..bulk.execute import execute
from ..bulk.job import INPUTS, OUTPUTS, Job, format_of
from ..embeddings import Embeddings
from ..errors import SettingsError
from ..options import EmbedOptions, Options
from .client_options import CONNECTION, asks_server, connect, key_options, optional_server_options, timeout_option
from .embed_options import MODEL, file_options, model_or_ray_options, sentence_options, vector_options
from .file_or_words import file_meant
from .grouped import GroupedCommand, given
from .paths import check_file
from .place import check_place, load_encoder, load_engine
from .unread import unread

_TIMEOUT_S = 30.0
_SHOWN_NUMBERS = 4
_SHOWN_COSINES = 10


@click.command(cls=GroupedCommand, short_help="Embed sentences, or files of them.")
@click.argument("sentences", nargs=-1)
@sentence_options
@file_options
@vector_options
@model_or_ray_options
@optional_server_options
@key_options
@timeout_option
@click.pass_context
def embed(ctx: click.Context, /, sentences: tuple[str, ...], source: str | None, as_json: bool, **flags: Any) -> None:
    """Embed SENTENCES and show how alike they are, or embed a file of them.

    \b
      bothends embed "there will be dragons" "dragons will be there"
      bothends embed --input reviews.csv --column text --output reviews.parquet
      cat lines.txt | bothends embed - | head

    The model runs in this process: the packaged one, or --bundle. A server is asked where --server or
    BOTHENDS_SERVER names one.

    Rows that can't be embedded are listed in OUTPUT.bad.jsonl (for stdout on stderr), each with its reason. A run that
    was stopped or killed goes on where it was when the same command is given again.
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is
    flags_given = given(ctx)
    is_literal = flags.pop("literal")
    if source is None and sentences == ("-",):
        sentences, source = (), "-"
    elif source is None and not is_literal and (file := file_meant(sentences)) is not None:
        sentences, source = (), file
    is_local = "bundle" in flags_given or not asks_server(ctx)
    is_ray = flags["engine"] == "ray"
    _check(flags_given, sentences, source, as_json=as_json, is_local=is_local, is_ray=is_ray)
    options = cast("EmbedOptions", {name: flags.pop(name) for name in EmbedOptions.__annotations__})
    flags_of_connection = {name: flags.pop(name) for name in CONNECTION}
    connection = None if is_local else flags_of_connection
    if source is None:
        _check_few(flags_given, options, as_json=as_json)
        _show(sentences, _few(sentences, options, connection, **flags), as_json=as_json)
    elif is_ray:
        ctx.exit(_files(source, options, **flags))
    else:
        ctx.exit(_file(source, options, connection, **flags))


def _check(
    flags: set[str], sentences: tuple[str, ...], source: str | None, *, as_json: bool, is_local: bool, is_ray: bool
) -> None:
    """Check that the `flags` given go together. Raises SettingsError."""
    check_place(flags, is_local=is_local)
    if bool(sentences) == (source is not None):
        raise SettingsError("give SENTENCES, or --input FILE, or - for sentences from stdin; one of these")
    if as_json and source is not None:
        raise SettingsError("--json is for SENTENCES; what a file becomes, --output says")
    if is_ray and not is_local:
        raise SettingsError("--engine ray computes on a cluster, and asks no server")
    if "address" in flags and not is_ray:
        raise SettingsError("--address is for --engine ray")


def _check_few(flags: set[str], options: EmbedOptions, *, as_json: bool) -> None:
    """Raise SettingsError if one of the given `flags` applies to files only."""
    for name in ("output", "column", "keep", "overwrite", "input_format", "output_format"):
        if name in flags:
            raise SettingsError(f"--{name.replace('_', '-')} is for files; name one with --input")
    if options["encoding"] != "float32" and not as_json:
        raise SettingsError("--encoding is for files and --json")


def _few(
    sentences: tuple[str, ...], options: EmbedOptions, connection: dict[str, Any] | None, **flags: Any
) -> Embeddings:
    """Embed sentences, and tell on standard error who did."""
    if connection is None:
        with load_encoder(**flags) as encoder:
            found = encoder.embed(sentences, **options)
            if problem := unread(sentences, encoder.tokenize(sentences), encoder.languages):
                click.echo(f"Warning: {problem}", err=True)
            by = f"in this process by {encoder.name} {encoder.version}; --server HOST:PORT asks a server instead"
    else:
        with connect(timeout_s=flags["timeout"] or _TIMEOUT_S, **connection) as client:
            found = client.embed(sentences, **options)
            who = "" if connection["model"] is None else f"{connection['model']} of "
            by = f"by {who}the server at {client.target}; --bundle english computes in this process instead"
    click.echo(f"Embedded {by}.", err=True)
    return found


def _show(sentences: Sequence[str], found: Embeddings, *, as_json: bool) -> None:
    """Print the embeddings of `sentences`, as JSON or as a table."""
    if not as_json:
        click.echo(_table(sentences, found))
        return
    for index, (row, count, truncated) in enumerate(zip(found.rows, found.token_counts, found.truncated, strict=True)):
        line = {"embedding": row.tolist(), "token_count": count, "truncated": truncated}
        click.echo(json.dumps(line if found.scales is None else {**line, "scale": float(found.scales[index])}))


def _table(sentences: Sequence[str], found: Embeddings) -> str:
    """Return lines of tokens, the first numbers of each vector, and the cosines between all pairs."""
    lines = [f"{found.rows.shape[1]} numbers a sentence (model version {found.model_version})", ""]
    for index, (sentence, row, count, cut) in enumerate(
        zip(sentences, found.rows, found.token_counts, found.truncated, strict=True)
    ):
        numbers = " ".join(f"{value:+.3f}" for value in row[:_SHOWN_NUMBERS])
        lines.append(f"{index:>3}  {numbers} …  {count:>3} tokens{' (cut)' if cut else ''}  {sentence}")
    if 1 < len(sentences) <= _SHOWN_COSINES:
        unit = Options(normalize=True).shaped(found.rows)
        lines += ["", "cosine " + "".join(f"{index:>7}" for index in range(len(unit)))]
        lines += [f"{index:>6} " + "".join(f"{value:7.3f}" for value in row) for index, row in enumerate(unit @ unit.T)]
    return "\n".join(lines)


def _files(source: str, options: EmbedOptions, **flags: Any) -> int:
    """Embed many files on a Ray cluster; return the exit code."""
    if "-" in (source, flags["output"] or "-"):
        raise SettingsError("--engine ray reads and writes files: --input names them, --output the folder for vectors")
    from ..bulk.ray.cluster import embed as embed_files
    from ..bulk.ray.plan import Plan
    from ..bulk.ray.storage import absolute
    from ..settings import chosen

    model = {name: flags[name] for name in MODEL if name != "engine" and flags[name] is not None}
    folder = chosen(flags["bundle"])
    bundle = None if folder is None else str(folder.absolute())
    formats = flags["input_format"], flags["output_format"] or "parquet"
    paths = absolute(source), absolute(flags["output"])
    columns = flags["column"], flags["keep"]
    plan = Plan(*paths, *formats, *columns, flags["overwrite"], options, bundle, model, uuid.uuid4().hex)
    return embed_files(plan, flags["address"])


def _file(source: str, options: EmbedOptions, connection: dict[str, Any] | None, **flags: Any) -> int:
    """Embed one file; return the exit code."""
    inputs, outputs = _path(source), _path(flags["output"])
    if inputs is not None:
        check_file(inputs)
    job = Job(
        inputs,
        outputs,
        format_of(inputs, flags["input_format"], INPUTS, piped="txt", flag="--input-format"),
        format_of(outputs, flags["output_format"], OUTPUTS, piped="jsonl", flag="--output-format"),
        flags["column"],
        flags["keep"],
        flags["overwrite"],
        options,
    )

    return execute(job, lambda: load_engine(connection, options, **flags))


def _path(path: str | None) -> Path | None:
    """Return the path, or None for standard input or output."""
    return None if path is None or path == "-" else Path(path)
