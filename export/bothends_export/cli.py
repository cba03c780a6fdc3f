"""`bothends export` and `bothends verify`: read folders, and print a table.

Heavy imports such as torch are inside the functions, so that `bothends --help` can list these commands without them.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from bothends.cli.choice import Choice
from bothends.cli.paths import check_folder
from bothends.options import Precision
from bothends.text import shell_word

if TYPE_CHECKING:
    from rich.table import Table

    from .report import Report


@click.command(short_help="Turn a checkpoint into a bundle to serve.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder of the bundle.")
@click.option("--card", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The model card, Markdown.")
def export(checkpoint: Path, out: Path, card: Path | None) -> None:
    """Turn CHECKPOINT into a bundle: an ONNX graph written from its weights, proved equal to PyTorch, and all it needs.

    CHECKPOINT is a folder of model.safetensors, config.json and tokenizer.json.
    """
    from bothends.errors import BundleError

    from .new_path import must_be_new

    check_folder(checkpoint)  # before PyTorch is imported, so that a wrong path is told at once
    must_be_new(out, BundleError)

    from rich.progress import Progress

    from . import checkpoint as checkpoints
    from .equivalence import comparisons
    from .export import export as run

    loaded = checkpoints.load(checkpoint)
    with Progress(transient=True) as progress:
        bar = progress.add_task("comparing with PyTorch", total=comparisons(loaded.config.max_tokens))
        text = card.read_text(encoding="utf-8", errors="replace") if card else None
        bundle = run(loaded, out, card=text, advance=lambda n: progress.advance(bar, n))
    size = sum(file.stat().st_size for file in out.iterdir())
    if pooling := bundle.config.pooling_note():
        click.echo(pooling)
    click.echo(bundle.config.proof())
    following = f"next: bothends serve --bundle {shell_word(out)}"
    click.echo(f"{bundle.config.summary()}\nbundle in {out}, {size / 1e6:.1f} MB; {following}")


@click.command(short_help="Prove a bundle equal to PyTorch.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The checkpoint it was made from; without it the weights are read back from the bundle, "
    "and the golden vectors that the checkpoint gave at export hold them to it.",
)
@click.option("--device", type=Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where it runs.")
@click.option(
    "--engine",
    type=Choice(["onnxruntime", "native"]),
    default="onnxruntime",
    show_default=True,
    help="What runs it there.",
)
@click.option(
    "--precision",
    type=Choice(get_args(Precision)),
    default="float32",
    show_default=True,
    help="Of the native engine.",
)
def verify(bundle: Path, checkpoint: Path | None, **settings: str) -> None:
    """Compare BUNDLE with PyTorch at every length and in ragged batches, each direction by itself.

    Exits with 1 if a difference is above the tolerance (1e-5 on a CPU, 1e-4 on CUDA; of encoders whose float32 is
    noise in PyTorch itself, 30 times that noise) or, on a CPU, a bit changes with the batch. In bf16 a cosine to
    PyTorch is at least 0.9999, in int8 0.9995 (less of several wide layers, native/README.md says how much), and golden
    sentences differ by at most 0.005 and 0.03.
    """
    from rich.console import Console
    from rich.progress import Progress

    from bothends.engines.select import candidates
    from bothends.model.bundle import Bundle
    from bothends.settings import EngineSettings

    opened = Bundle.open(bundle)  # before PyTorch is imported, so that a wrong folder is told at once
    if checkpoint is not None:
        check_folder(checkpoint)

    from . import checkpoint as checkpoints
    from .equivalence import comparisons
    from .equivalence import verify as run
    from .export import TOLERANCE, fitting, lift

    encoder = fitting(opened, checkpoints.load(checkpoint)) if checkpoint else lift(opened)
    engine = next(candidates(opened, EngineSettings.load(settings, {}))).engine
    exact = settings["device"] == "cpu" and settings["precision"] == "float32"
    tolerance = TOLERANCE if exact else engine.tolerance
    with Progress(transient=True) as progress:
        bar = progress.add_task("comparing with PyTorch", total=comparisons(opened.config.max_tokens))
        report = run(opened, encoder, engine=engine, tolerance=tolerance, advance=lambda n: progress.advance(bar, n))
    title = f"{opened.config.name} {opened.config.version} by {engine.provider} against PyTorch"
    Console().print(_table(report, title=title))
    if breaches := report.breaches() or [line for line in [report.unprovable()] if line]:
        for line in breaches:
            click.echo(f"breach: {line}", err=True)
        sys.exit(1)
    if pooling := opened.config.pooling_note():
        click.echo(pooling)
    click.echo(f"all {report.held_to()}")


def _table(report: "Report", *, title: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"{title}: largest absolute differences",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("", no_wrap=True)
    for heading in ("sentences", "embedding", "forward", "backward", "h_n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("bits", no_wrap=True)
    for row in report.rows:
        values = (
            "" if value is None else f"{value:.1e}" for value in (row.embedding, row.forward, row.backward, row.h_n)
        )
        same = {None: "", True: "same", False: "DIFFER"}[row.same_bits]
        table.add_row(row.what, str(row.sentences), *values, same)
    return table
