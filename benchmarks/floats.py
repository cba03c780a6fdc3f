"""What it takes to write an embedding's numbers into a response, by form: nanoseconds of one core for a number.

python benchmarks/floats.py [--sentences FILE] [--bundle FOLDER]

The rows are a bundle's embeddings, written by the transport's own codecs in a list of 1,024 (native/check/numbers.cpp,
which this builds: it needs a C++ compiler and what the transport is built with). Prints a table for
native/performance.md.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from numpy.typing import NDArray

from bothends import Encoder
from machine import describe
from sentences import load

_PROGRAM = Path(__file__).parents[1] / "native" / "check" / "numbers.sh"
_ROWS = 512
"""Different embeddings, which come twice in a list."""


def measure(rows: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield each form and its nanoseconds for a number: the median of several rounds, in which all take turns."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "rows")
        rows.tofile(file)
        command = [str(_PROGRAM), str(file), str(rows.shape[1])]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in printed.splitlines():
        took, form = line.split("\t")
        yield form, float(took)


@click.command()
@click.option("--sentences", type=click.Path(path_type=Path, exists=True), help="A text file, a sentence a line.")
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), help="A bundle; the packaged one by default.")
def main(*, sentences: Path | None, bundle: Path | None) -> None:
    """Measure, and print Markdown."""
    texts = load(sentences)
    with Encoder.load(bundle) as encoder:
        rows = encoder.encode(texts.texts[:_ROWS])
    machine = describe()
    print(f"{machine['date']}, {machine['processor']}, one of {machine['cores']} cores; rows of {texts.source}:\n")
    print("| written as | ns a number |\n|---|--:|")
    for form, took in measure(rows):
        print(f"| {form} | {took:.1f} |")


if __name__ == "__main__":
    main()
