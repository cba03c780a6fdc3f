"""Recognises a file name that was given as a sentence, as in `bothends embed reviews.csv`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ..bulk.job import INPUTS
from ..errors import SettingsError
from ..text import printable


def file_meant(sentences: Sequence[str]) -> str | None:
    """Return the file whose name is the only one of `sentences`, if the user at the terminal confirms it.

    None if no sentence looks like a file name. A warning tells of one that does and doesn't exist. Raises SettingsError
    if a file may be meant and there is no terminal to ask at.
    """
    for sentence in sentences:
        if not _looks_like_a_file(sentence):
            continue
        name = printable(sentence)
        if not Path(sentence).is_file():
            click.echo(f"Warning: there is no file {name}; its name is embedded as a sentence", err=True)
        elif len(sentences) == 1 and sys.stdin.isatty() and sys.stderr.isatty():
            asked = f"{name} is a file. Embed the sentences in it (n: its name, as a sentence)?"
            return sentence if click.confirm(asked, default=True, err=True) else None
        else:
            raise SettingsError(
                f"{name} is a file: --input {name} embeds the sentences in it, --literal its name as a sentence"
            )
    return None


def _looks_like_a_file(sentence: str) -> bool:
    """Return True for one word with the ending of a format that can be read."""
    name = sentence.removesuffix(".gz")
    return not any(map(str.isspace, sentence)) and Path(name).suffix.lower() in INPUTS
