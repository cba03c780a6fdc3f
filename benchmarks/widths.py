"""The speed of wider encoders by both engines, as a multiple of MiniLM's in onnxruntime: what a wider state would cost.

python benchmarks/widths.py [--sentences FILE]

Weights are random, for they don't matter to speed. Rounds are interleaved, so that all share what else the machine
does. Prints a table for docs/encoder.md.
"""

import statistics
import tempfile
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bothends.engines.native import NativeEngine
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from bothends_export import checkpoint
from bothends_export.encoder import Encoder
from bothends_export.export import export, lift
from minilm import mini_lms
from quality import BATCHES, Model, Ours, rate
from sentences import load

WIDTHS = (256, 288, 320, 384)
"""Numbers of a direction's state."""


def encoder_of(hidden_size: int, scratch: Path) -> Bundle:
    """Export the packaged encoder's like, with random weights and `hidden_size` a direction."""
    packaged = Bundle.open(default_path())
    sizes = lift(packaged).config.model_copy(update={"hidden_size": hidden_size})
    config = checkpoint.CheckpointConfig(name="wide", version="1", max_tokens=packaged.config.max_tokens, encoder=sizes)
    folder = scratch / f"checkpoint-{hidden_size}"
    checkpoint.save(folder, Encoder(sizes), config, packaged.tokenizer, table_dtype=torch.float16)
    return export(checkpoint.load(folder), scratch / f"bundle-{hidden_size}")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sentences", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sentences to time.")
@click.option("--count", default=600, show_default=True, help="Sentences timed.")
@click.option("--rounds", default=5, show_default=True, help="Times each is timed.")
def main(*, sentences: Path | None, count: int, rounds: int) -> None:
    """Time random encoders of several widths and MiniLM, one core, from text to vectors."""
    torch.manual_seed(0)
    texts = load(sentences).texts[:count]
    with tempfile.TemporaryDirectory() as scratch:
        small = mini_lms(Path(scratch))["all-MiniLM-L6-v2"]
        models: dict[tuple[str, int], Model] = {("all-MiniLM-L6-v2", 0): small}
        for width in track(WIDTHS, description="export"):
            bundle = encoder_of(width, Path(scratch))
            models["native", width] = Ours(bundle, NativeEngine(bundle).run)
            models["onnxruntime", width] = Ours(bundle, OnnxRuntimeEngine(bundle, device="cpu").run)
        rates: dict[tuple[str, int], dict[int, list[float]]] = {}
        for _ in track(range(rounds), description="speed"):
            for name, model in models.items():
                for batch in BATCHES:
                    rates.setdefault(name, {}).setdefault(batch, []).append(rate(model, texts, batch))
    best = {name: max(map(statistics.median, found.values())) for name, found in rates.items()}
    theirs = best.pop(("all-MiniLM-L6-v2", 0))
    table = Table("hidden, a direction", "native", "onnxruntime", "native, one by one", title="× MiniLM's sentences/s")
    for width in WIDTHS:
        times = (f"{best[engine, width] / theirs:.1f}" for engine in ("native", "onnxruntime"))
        table.add_row(str(width), *times, f"{statistics.median(rates['native', width][1]):,.0f}/s")
    Console().print(table)


if __name__ == "__main__":
    main()
