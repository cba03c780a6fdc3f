"""Differences of bf16 and int8 to float32 in the native engine, for text as people write it and text made against them.

python benchmarks/precisions.py [--bundle FOLDER]

Prints a table for native/README.md: of each kind of text the lowest cosine to float32's embedding, and the largest
difference of one number.
"""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TypeAlias, get_args

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bothends.engines.native import NativeEngine
from bothends.model.bundle import Bundle, default_path
from bothends.model.tokenizer import Tokenizer
from bothends.options import Precision

DOCS = Path(__file__).parents[1] / "docs"
Ids: TypeAlias = list[list[int]]


def kinds(bundle: Bundle, *, texts: int = 1000) -> dict[str, Ids]:
    """Return token ids of each kind of text; those that are random come from one seed."""
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    most, words = bundle.config.max_tokens, bundle.config.vocabulary_size
    random = np.random.default_rng(1)
    prose = " ".join(re.sub(r"[|#`*\[\]()]", " ", page.read_text()) for page in sorted(DOCS.glob("*.md")))
    sentences = [text for text in re.split(r"(?<=[.!?])\s+", prose) if 20 < len(text) < 600][:texts]
    alone = [[int(word)] for word in random.integers(0, words, texts)]
    phrases = [[int(word) for word in random.integers(0, words, count)] for count in random.integers(2, 6, texts)]
    return {
        "golden sentences": [tokens.ids for tokens in tokenizer.encode(bundle.golden.sentences)],
        "sentences of docs/": [tokens.ids for tokens in tokenizer.encode(sentences) if tokens.ids],
        "random tokens": [
            [int(word) for word in random.integers(0, words, length)] for length in random.integers(1, most + 1, texts)
        ],
        "a token 32 times": [word * 32 for word in alone],
        f"2 to 5 tokens, again and again, {most}": [(phrase * most)[:most] for phrase in phrases],
        f"a token {most} times": [word * most for word in alone],
    }


def lacks(exact: NativeEngine, other: NativeEngine, ids: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return the lowest cosine of `other`'s embeddings to `exact`'s, and the largest difference of a number."""
    expected, found = exact.run(ids), other.run(ids)
    return float(_cosines(expected, found).min()), float(np.abs(expected - found).max())


def _cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(one.astype(float), axis=1) * np.linalg.norm(other.astype(float), axis=1)
    cosines: NDArray[np.float64] = (one.astype(float) * other).sum(axis=1) / lengths
    return cosines


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Default: the packaged model.")
def main(bundle: Path | None) -> None:
    """Print the table."""
    opened = Bundle.open(bundle or default_path())
    exact = NativeEngine(opened)
    others: list[Precision] = [precision for precision in get_args(Precision) if precision != "float32"]
    engines = {precision: NativeEngine(opened, precision=precision) for precision in others}
    table = Table("text", "texts", *(f"{name}, {what}" for name in others for what in ("cosine", "difference")))
    for kind, ids in kinds(opened).items():
        found = [lacks(exact, engine, ids) for engine in engines.values()]
        figures = [(f"{cosine:.5f}", f"{most:.3f}") for cosine, most in found]
        table.add_row(kind, str(len(ids)), *chain.from_iterable(figures))
    Console().print(table)


if __name__ == "__main__":
    main()
