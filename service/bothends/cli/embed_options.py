"""Flags of `bothends embed`, shared by its forms: which vectors, of which file, to which file, by which model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from ..bulk.job import INPUTS, OUTPUTS
from ..options import Encoding, Precision, Truncation

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def vector_options(command: FunctionT) -> FunctionT:
    """Add the flags that say which vectors are wanted."""
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
    """Add the flags that say which file is embedded, to which file, and by which model."""
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
