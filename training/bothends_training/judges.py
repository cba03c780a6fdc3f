"""Finds the default test data for scoring a bundle: files of the repository, and sets in a folder.

Sets that can't be redistributed are looked for, and named if they are missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .evaluate import Pairs, read_held_out, read_pairs
from .trials import Collection, Triples, read_collection, read_triples

_DEV = Path(__file__).parent.parent / "dev"
TRIPLES = _DEV / "triples.tsv"
HELD_OUT = _DEV / "held-out.tsv.xz"
PAIRS = ("stsb-dev", "sick-dev")
COLLECTIONS = ("cacm", "cisi")


@dataclass(frozen=True, slots=True)
class Judges:
    """Test data on which a bundle is scored, grouped by kind of score."""

    pairs: Sequence[Pairs] = ()
    """Pairs with people's scores."""
    collections: Sequence[Collection] = ()
    held_out: Sequence[Pairs] = ()
    """Pairs of each kind of text with a teacher's cosines."""
    triples: Sequence[Triples] = ()
    skipped: Sequence[str] = field(default=())
    """Names of what isn't here."""


def find(folder: Path) -> Judges:
    """Return the test data in `folder`, as far as it is there (the files of PAIRS, the folders of COLLECTIONS), and the
    repository's own files.

    Raises PairsError or TrialError if one can't be read.
    """
    pairs = {name: folder / f"{name}.tsv" for name in PAIRS}
    collections = {name: folder / name for name in COLLECTIONS}
    own = {"held-out pairs": HELD_OUT, "triples": TRIPLES}
    return Judges(
        [read_pairs(file) for file in pairs.values() if file.exists()],
        [read_collection(index) for index in collections.values() if index.is_dir()],
        read_held_out(HELD_OUT) if HELD_OUT.exists() else [],
        read_triples(TRIPLES) if TRIPLES.exists() else [],
        [name for name, index in {**pairs, **collections, **own}.items() if not index.exists()],
    )


def read(files: Iterable[Path], folders: Iterable[Path], triples: Iterable[Path]) -> Judges:
    """Return the named test data: `files` of scored pairs, `folders` of collections, files of `triples`. Raises
    PairsError or TrialError if one can't be read.
    """
    return Judges(
        [read_pairs(file) for file in files],
        [read_collection(folder) for folder in folders],
        triples=[kind for file in triples for kind in read_triples(file)],
    )
