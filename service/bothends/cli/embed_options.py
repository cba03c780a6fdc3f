"""Flags of `bothends embed`: for sentences and files, vectors, and models. Other commands share some of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from ..bulk.job import INPUTS, OUTPUTS
from ..options import OPTIONS, Precision
from .choice import Choice
from .grouped import FunctionT, option, options

_SENTENCES, _FILE, _VECTORS, _HERE = "Sentences", "A file", "Vectors", "In this process"
MODEL = ("device", "engine", "precision", "workers")
"""Parameters of a model in this process, in addition to `bundle`."""

sentence_options = options(
    option(_SENTENCES, "--json", "as_json", is_flag=True, help="Print whole vectors, one JSON object each."),
    option(_SENTENCES, "--literal", is_flag=True,
           help="Take SENTENCES as they stand, also where one is the name of a file."),
)  # fmt: skip

column_options = options(
    option(_FILE, "--column", metavar="COLUMN", help="Which column holds the sentences; needed where several could."),
    option(_FILE, "--input-format", type=Choice(list(dict.fromkeys(INPUTS.values()))),
           help="What the input is, where its name doesn't say so."),
)  # fmt: skip
"""Where in a file sentences are."""

_file = click.Path(allow_dash=True)  # no Path: it would make one slash of the two in s3://
file_options = options(
    option(_FILE, "--input", "source", type=_file, metavar="FILE",
           help="Sentences: .txt (one a line), .csv, .tsv, .jsonl, also .gz, or .parquet; - is stdin. "
           "With --engine ray also a folder, a pattern, or a URL of them."),
    option(_FILE, "--output", type=_file, metavar="FILE",
           help="Vectors: .parquet, .npy or .jsonl; - (the default) is stdout, as jsonl. "
           "With --engine ray a folder or its URL, of parquet unless --output-format says otherwise."),
    column_options,
    option(_FILE, "--output-format", type=Choice(list(dict.fromkeys(OUTPUTS.values()))),
           help="What the output is, where its name doesn't say so."),
    option(_FILE, "--keep", multiple=True, metavar="COLUMN",
           help="A column to copy to the output (parquet, jsonl); may be given several times."),
    option(_FILE, "--overwrite", is_flag=True, help="Replace an output that is there, or was begun otherwise."),
)  # fmt: skip


def vector_option(name: str) -> Callable[[FunctionT], FunctionT]:
    """Make the flag of one of OPTIONS."""
    asked = OPTIONS[name]
    about: dict[str, Any] = {"metavar": "N", "type": asked.kind}
    if asked.words:
        about = {"type": Choice(asked.words), "show_default": True}
    elif asked.kind is bool:
        about = {"is_flag": True}
    return option(_VECTORS, f"--{name}", default=asked.default, help=asked.what, **about)


vector_options = options(*map(vector_option, OPTIONS))

bundle_option = option(
    _HERE, "--bundle", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Folder of the model, or of its versions; without it, or by the name english, the packaged one.",
)  # fmt: skip
_computing = options(
    option(_HERE, "--precision", type=Choice(get_args(Precision)),
           help="Numbers of the native engine; below float32 is faster and less exact."),
    option(_HERE, "--workers", type=int, metavar="N",
           help="Runs of the model at once on a CPU; by default one a core."),
)  # fmt: skip
_device_option = option(_HERE, "--device", type=Choice(["auto", "cpu", "cuda"]), help="Where the model runs.")
model_options = options(
    bundle_option,
    _device_option,
    option(_HERE, "--engine", type=Choice(["auto", "onnxruntime", "native"]),
           help="What computes on a CPU; auto is native where it is installed."),
    _computing,
)  # fmt: skip
model_or_ray_options = options(
    bundle_option,
    _device_option,
    option(_HERE, "--engine", type=Choice(["auto", "onnxruntime", "native", "ray"]),
           help="What computes on a CPU; auto is native where it is installed. ray: many files at once, by models on "
           "a Ray cluster, with --workers CPUs each."),
    _computing,
    option(_HERE, "--address", envvar="RAY_ADDRESS", metavar="HOST:PORT",
           help="The Ray cluster; by default one is started here for the run.  [env: RAY_ADDRESS]"),
)  # fmt: skip
