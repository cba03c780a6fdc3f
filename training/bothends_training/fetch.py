"""Downloads public test sets from their publishers into a folder, each completely or not at all.

It accesses the web only on request, and only for the sets that are named.
"""

import hashlib
import http.client
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from bothends.errors import BothendsError

from .originals import Files
from .public_sets import PublicSet

_TIMEOUT_S = 60.0
_MAX_BYTES = 64 << 20
"""Largest original; the largest of record has 3 MB."""


class FetchError(BothendsError):
    """Public set that can't be downloaded, or differs from the one that was measured."""


class _UnreachableError(FetchError):
    """One address of a set doesn't answer; another may."""


def missing(wanted: PublicSet, folder: Path) -> FetchError:
    """Return the error for a missing set: where it comes from, and how to get it."""
    checked = "its SHA-256" if wanted.sha256 else "how many lines it makes"
    return FetchError(
        f"{wanted.name} ({wanted.size}) isn't at {wanted.path_in(folder)}. It comes from {wanted.urls[0]} and is "
        f"checked by {checked}; --fetch fetches it"
    )


def fetch(wanted: PublicSet, folder: Path) -> Path:
    """Download a set into `folder`, unless it is there, and return its path.

    Raises FetchError, and then leaves nothing.
    """
    index = wanted.path_in(folder)
    if index.exists():
        return index
    files = _checked(wanted, _download(wanted))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name, lines in files.items():
            (made / (name or index.name)).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (made / index.name if wanted.kind == "pairs" else made).replace(index)
    return index


def _checked(wanted: PublicSet, original: bytes) -> Files:
    """Our files of an original that is the one that was measured."""
    found = hashlib.sha256(original).hexdigest()
    if wanted.sha256 not in (None, found):
        raise FetchError(
            f"what is given away as {wanted.name} isn't what was measured: its SHA-256 is {found}, not {wanted.sha256}"
        )
    try:
        files = wanted.read(original)
    except Exception as error:  # whatever an archive or a text that isn't as expected raises
        raise FetchError(f"what is given away as {wanted.name} can't be read: {error!r}") from error
    counts = {name: len(lines) for name, lines in files.items()}
    if counts != wanted.counts:
        raise FetchError(
            f"what is given away as {wanted.name} isn't what was measured: it makes {_words(counts)}, "
            f"not {_words(wanted.counts)}"
        )
    return files


def _download(wanted: PublicSet) -> bytes:
    """Return the complete original, from the first address that answers."""
    failures = []
    for url in wanted.urls:
        try:
            return _read(url)
        except _UnreachableError as error:
            failures.append(str(error))
    raise FetchError(f"{wanted.name} can't be fetched: {'; '.join(failures)}")


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  a constant, not a caller's
            content: bytes = answer.read(_MAX_BYTES + 1)
            told = answer.headers.get("Content-Length")
    except http.client.IncompleteRead as error:
        raise _UnreachableError(f"{url} was cut after {len(error.partial):,} bytes") from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _UnreachableError(f"{url}: {reason}") from error
    if len(content) > _MAX_BYTES:
        raise FetchError(f"{url} has more than {_MAX_BYTES:,} bytes, which no set has")
    if told is not None and len(content) < int(told):
        raise _UnreachableError(f"{url} was cut after {len(content):,} of {int(told):,} bytes")
    return content


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} lines{f' of {name}' if name else ''}" for name, count in counts.items())
