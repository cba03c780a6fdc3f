"""Downloads Debian's packages without installing them, and reads the prose in them.

Needs apt and dpkg. It doesn't change the system: lists and packages are kept in a separate folder.
"""

import gzip
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..corpus import place
from .dictd import entries
from .sections import sections

_PAGE = re.compile(r"\.(?:html?|xhtml|page)(?:\.gz)?$")
_LEFT_OUT = re.compile(
    r"/(?!en)[a-z]{2}(?:[-_][a-zA-Z]{2,4})?/|\.(?!en\.)[a-z]{2}(?:[-_][A-Za-z]{2})?\.html"
    r"|/(?:struct|trait|fn|enum|macro|constant|primitive|type|union|static|derive|attr)\.[^/]*\.html"
)
"""Pages in other languages, and those of single items of Rust's libraries."""
_SPACE = re.compile(r"\s+")
Section = tuple[str, list[str]]
"""A title, and paragraphs under it."""


def descriptions(folder: Path) -> Iterator[Section]:
    """Yield each package's synopsis and its long description, in English."""
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    _run("apt-get", "-qq", "-o", f"Dir::State::lists={lists}", "-o", "Acquire::Languages=en", "update")
    for file in sorted(lists.glob("*_Translation-en*")):
        text = _run("/usr/lib/apt/apt-helper", "cat-file", str(file))
        for stanza in text.split("\n\n"):
            _, found, body = stanza.partition("\nDescription-en: ")
            if found:
                synopsis, _, long = body.partition("\n")
                yield synopsis.strip(), [_SPACE.sub(" ", part).strip() for part in re.split(r"\n \.(?=\n|$)", long)]


def unpack(packages: Sequence[str], folder: Path) -> None:
    """Unpack the packages into `folder`, a folder for each; those that are there already aren't downloaded."""
    for package in packages:
        into = folder / package
        if into.exists():
            continue
        scratch = folder / "fetched"
        scratch.mkdir(parents=True, exist_ok=True)
        _run("apt-get", "-qq", "download", package, cwd=scratch)
        (archive,) = scratch.glob(f"{package}_*.deb")
        partial = folder / f"{package}.partial"
        _run("dpkg-deb", "-x", str(archive), str(partial))
        partial.rename(into)
        archive.unlink()


def manual(folder: Path) -> Iterator[Section]:
    """Yield the sections of every English page of HTML or Mallard below `folder`, in an order given by hashes."""
    pages = {str(path.relative_to(folder)): path for path in folder.rglob("*") if _PAGE.search(path.name)}
    for name in sorted(pages, key=place):
        if _LEFT_OUT.search(f"/{name}") or pages[name].is_symlink() or not pages[name].is_file():
            continue
        content = pages[name].read_bytes()
        if name.endswith(".gz"):
            content = gzip.decompress(content)
        yield from sections(content.decode("utf-8", errors="replace"), mallard=name.endswith(".page"))


def dictionary(folder: Path) -> Iterator[Section]:
    """Yield the entries of every dictionary below `folder`, in an order given by hashes."""
    for index in sorted(folder.rglob("*.index")):
        found = sorted(entries(index.with_suffix("")), key=lambda entry: place(entry[1]))
        yield from ((headword, [entry]) for headword, entry in found)


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, errors="replace", cwd=cwd).stdout  # noqa: S603
