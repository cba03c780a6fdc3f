"""Reads test sets in their publishers' formats, and converts them to `evaluate`'s own files.

Each function takes the bytes of one original. Unexpected content raises ValueError, KeyError or an archive's own error;
the caller adds which set it was.
"""

import csv
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO

Files = dict[str, list[str]]
"""Lines by file; pairs have one, which has no name."""
_MAX_BYTES = 16 << 20
"""Largest file of an archive; the largest of record has 2 MB."""
_INPUT = re.compile(r"STS(?:\d{4})?\.input\.(.+)\.txt")
_SCORES = re.compile(r"STS(?:\d{4})?\.gs\.(.+)\.txt")
_FIELD = re.compile(r"\.([A-Z])\s*")


def stsb_table(original: bytes) -> Files:
    """Return the pairs of a comma-separated table of sentence, sentence, score."""
    rows = csv.reader(io.StringIO(original.decode(), newline=""))
    return {"": [_pair(score, first, second) for first, second, score in rows]}


def sick_text(original: bytes) -> Files:
    """Return the pairs of SemEval 2014's file: a heading, then number, sentence, sentence, relatedness, entailment, by
    tabs.
    """
    rows = (line.split("\t") for line in original.decode().splitlines()[1:])
    return {"": [_pair(row[3], row[1], row[2]) for row in rows if len(row) > 1]}


def semeval_archive(original: bytes) -> Files:
    """Return the pairs of a year's zip: for each source a file of sentences and one of scores, line by line.

    Lines without a score weren't judged, and some sources' sentences aren't published; both are left out.
    """
    texts: dict[str, list[str]] = {}
    scores: dict[str, list[str]] = {}
    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        for path in archive.namelist():
            for pattern, found in ((_INPUT, texts), (_SCORES, scores)):
                if (named := pattern.fullmatch(path.rpartition("/")[2])) and named[1] != "ALL":
                    with archive.open(path) as file:
                        found[named[1]] = _bounded(file).decode().split("\n")
    pairs = []
    for source in sorted(texts):
        for text, score in zip(texts[source], scores[source], strict=False):  # one may end by a blank line
            if score.strip():
                pairs.append(_pair(score, *text.split("\t")[:2]))
    return {"": pairs}


def smart_archive(original: bytes, *, names: Sequence[str]) -> Files:
    """Return a collection from a tar in SMART's format. `names` are its files of documents, of questions and of
    relevant pairs, in this order.

    A document is its title and its abstract; questions without a relevant document are left out.
    """
    documents, queries, answers = (_member(original, name) for name in names)
    relevant = [line.split()[:2] for line in answers.splitlines() if line.strip()]
    pairs = list(dict.fromkeys((str(int(query)), str(int(document))) for query, document in relevant))
    asked = {query for query, _ in pairs}
    found = {name: _one_line(fields.get("W", "")) for name, fields in _records(queries)}
    return {
        "documents.tsv": [
            f"{name}\t{_one_line(fields.get('T', '') + ' ' + fields.get('W', ''))}"
            for name, fields in _records(documents)
        ],
        "queries.tsv": [f"{name}\t{text}" for name, text in found.items() if name in asked],
        "relevant.tsv": [f"{query}\t{document}" for query, document in pairs],
    }


def _member(original: bytes, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(original)) as archive:
        for member in archive:
            if member.name.rpartition("/")[2] == name and (file := archive.extractfile(member)) is not None:
                return _bounded(file).decode("latin-1")
    raise KeyError(name)


def _bounded(file: IO[bytes]) -> bytes:
    """Read a file of an archive; raises ValueError if it is far larger than expected, which a small archive can
    hide.
    """
    content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"a file of it has more than {_MAX_BYTES:,} bytes")
    return content


def _records(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each record's number and its fields by letter: `.I 7` begins one, `.T` alone on a line a field."""
    for record in re.split(r"^\.I ", text, flags=re.MULTILINE)[1:]:
        number, _, rest = record.partition("\n")
        fields: dict[str, str] = {}
        letter = ""
        for line in rest.splitlines():
            if (named := _FIELD.fullmatch(line)) is not None:
                letter = named[1]
            else:
                fields[letter] = f"{fields.get(letter, '')} {line}"
        yield str(int(number)), fields


def _pair(score: str, first: str, second: str) -> str:
    return f"{float(score):g}\t{_one_line(first)}\t{_one_line(second)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
