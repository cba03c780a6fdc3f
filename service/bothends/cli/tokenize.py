"""`bothends tokenize`: prints how the model reads each sentence, token by token, without running a model or a
server.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import Options, Truncation
from .embed_options import bundle_option, vector_option
from .unread import unread

if TYPE_CHECKING:
    from ..model.tokenizer import Pieces

_TEXT = 14
"""Least width of a token, in columns."""


@click.command(short_help="Show what the model reads of sentences.")
@click.argument("sentences", nargs=-1, required=True)
@bundle_option
@vector_option("truncation")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each sentence.")
def tokenize(sentences: tuple[str, ...], bundle: Path | None, truncation: Truncation, as_json: bool) -> None:
    """Show what the model reads of each of SENTENCES: each token's row in its table, its text, and where it stands.

    Places are characters from 0, of the sentence as it was given; the second is the first after the token.
    """
    read, languages = _pieces(sentences, bundle, truncation)
    for sentence, pieces in zip(sentences, read, strict=True):
        for line in [json.dumps(_as_json(pieces))] if as_json else _table(sentence, pieces):
            click.echo(line)
    if problem := unread(sentences, read, languages):
        click.echo(f"Warning: {problem}", err=True)


def _pieces(
    sentences: Sequence[str], bundle: Path | None, truncation: Truncation
) -> "tuple[list[Pieces], Sequence[str]]":
    """Return what the model reads of each sentence, and the languages that it was trained to read."""
    from ..core.inputs import InputReader, RequestLimits
    from ..model.bundle import Bundle, default_path
    from ..model.tokenizer import Tokenizer
    from ..model.versions import newest
    from ..settings import EmbedderSettings, chosen

    opened, limits = Bundle.open(newest(chosen(bundle) or default_path())), EmbedderSettings()
    tokenizer = Tokenizer(opened.tokenizer, max_tokens=opened.config.max_tokens, source=opened.path)
    bounds = RequestLimits(len(sentences), limits.max_sentence_chars, sys.maxsize)
    reader = InputReader(tokenizer, opened.config, bounds)
    return reader.pieces(sentences, Options(truncation), check_deadline=lambda: None), opened.config.languages


def _as_json(pieces: "Pieces") -> dict[str, object]:
    """Return the names of docs/api.md's Tokenize."""
    found = asdict(pieces)
    rows = zip(found["ids"], found["texts"], found["places"], strict=True)
    tokens = [{"id": row, "text": text, "start": start, "end": end} for row, text, (start, end) in rows]
    return {"tokens": tokens, "truncated": pieces.truncated}


def _table(sentence: str, pieces: "Pieces") -> Iterator[str]:
    from ..text import printable

    yield f"{printable(sentence)}: {len(pieces.ids)} tokens{' (cut)' if pieces.truncated else ''}"
    for row, text, (start, end) in zip(pieces.ids, pieces.texts, pieces.places, strict=True):
        yield f"{row:>7}  {printable(text):{_TEXT}}  {start}-{end}"
