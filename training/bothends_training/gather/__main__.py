"""Writes documents, `source⇥title⇥passage` a line, from Debian's packages and a corpus of sentences.

    python -m bothends_training.gather training/corpus/sentences.tsv.xz training/corpus/documents.tsv.xz

The tables below say what is taken and how much of it. The same packages and sentences always give the same file.
"""

import lzma
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from . import debian
from .passages import Document, documents
from .related import endings, related

MANUALS = {
    "php-doc": 9000, "python3.13-doc": 5000, "postgresql-doc-17": 6000, "python-django-doc": 4000,
    "python-sklearn-doc": 4000, "python-scipy-doc": 4000, "python-statsmodels-doc": 2000, "python-astropy-doc": 4000,
    "linux-doc-6.12": 9000, "apache2-doc": 3000, "git-doc": 2000, "sqlite3-doc": 5000, "rust-doc": 7000,
    "gimp-help-en": 5000, "gnome-user-docs": 3000, "freedombox-doc-en": 1500, "debian-handbook": 2500,
    "debian-policy": 1500, "debian-reference-en": 1500, "installation-guide-amd64": 1000,
    "libreoffice-help-en-us": 6000, "lilypond-doc-html": 3000,
}  # fmt: skip
"""Packages of manuals, and most passages of each."""
DICTIONARIES = {"dict-gcide": 30_000, "dict-foldoc": 15_000, "dict-jargon": 3000}
"""Packages of dictionaries, and most entries of each."""
DESCRIPTIONS = 45_000
"""Most descriptions of packages."""
SENTENCES = {
    "medquad": 1.0, "wikisplit": 1.0, "squad-nqg": 1.0, "classics": 0.3, "reddit-self": 0.25, "techdocs": 0.3,
    "bible": 0.3, "ljspeech": 1.0, "gcide": 0.3, "fortunes": 0.3,
}  # fmt: skip
"""Shares of the corpus's sources whose sentences, related ones together, make passages too."""


def gather(corpus: Path, folder: Path) -> Iterator[Document]:
    """Yield all documents, source by source. The packages are kept in `folder`."""
    debian.unpack([*MANUALS, *DICTIONARIES], folder)
    for package, most in MANUALS.items():
        yield from documents(package, debian.manual(folder / package), max_documents=most)
    for package, most in DICTIONARIES.items():
        yield from documents(package, debian.dictionary(folder / package), max_documents=most)
    yield from documents("debian-descriptions", debian.descriptions(folder), max_documents=DESCRIPTIONS)
    for source, title, sentences in related(corpus, SENTENCES):
        yield from documents(source, [(title, endings(sentences))], max_documents=9)


def main(corpus: Path, out: Path, folder: Path) -> None:
    """Write the documents to `out` (.tsv.xz), in seeded random order, and print how many come from each source.

    The file is written completely or not at all.
    """
    found = list(gather(corpus, folder))
    random.Random(1).shuffle(found)  # noqa: S311  a corpus needs no secrets
    partial = out.with_name(out.name + ".partial")
    with lzma.open(partial, "wt", encoding="utf-8") as file:
        file.writelines(f"{document.source}\t{document.title}\t{document.passage}\n" for document in found)
    partial.replace(out)
    for source, count in Counter(document.source for document in found).most_common():
        click.echo(f"{source}  {count:,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3] if len(sys.argv) > 3 else "debian"))
