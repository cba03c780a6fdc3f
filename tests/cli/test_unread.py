"""Sentences of which a model reads too little: the command line says which, as the page does."""

import json

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.cli.unread import unread
from bothends.model.bundle import default_path
from bothends.model.tokenizer import Pieces

KNOWN, UNKNOWN = False, True


def pieces(*unknown: bool) -> Pieces:
    """Tokens, each known or not."""
    places = [(index, index + 1) for index in range(len(unknown))]
    return Pieces(
        ids=[7] * len(unknown), truncated=False, texts=["x"] * len(unknown), places=places, unknown=[*unknown]
    )


@pytest.mark.parametrize(
    ("sentence", "read", "languages", "is_blind"),
    [
        ("there will be dragons", pieces(KNOWN, KNOWN), ["en"], False),
        ("🍕 love you", pieces(UNKNOWN, KNOWN, KNOWN), ["en"], False),
        ("🍕🍕 yes", pieces(UNKNOWN, KNOWN), ["en"], True),
        ("الطقس جميل اليوم", pieces(KNOWN, KNOWN), ["en"], True),
        ("das Wetter, погода сегодня", pieces(KNOWN, KNOWN), ["en"], True),
        ("погода сегодня", pieces(KNOWN, KNOWN), ["en", "ru-RU"], False),
        ("天気がいい", pieces(KNOWN, KNOWN), ["ja"], False),
        ("погода сегодня", pieces(KNOWN, KNOWN), [], False),  # nobody said what it reads
        ("погода сегодня", pieces(KNOWN, KNOWN), ["en", "tlh"], False),  # a language that isn't known here
        ("2 + 2 = 4", pieces(KNOWN, KNOWN), ["en"], False),
    ],
)
def test_who_is_blind_to_what(sentence: str, read: Pieces, languages: list[str], is_blind: bool) -> None:
    """Half of the tokens unknown, or half of the letters of a script that none of its languages is written in."""
    assert (unread([sentence], [read], languages) != "") == is_blind


def test_it_names_the_sentences_and_what_the_model_reads() -> None:
    """Numbers are those of the table that `embed` prints."""
    read = [pieces(UNKNOWN), pieces(KNOWN), pieces(UNKNOWN)]
    assert unread(["🍕", "a", "🍕"], read, ["en"]) == (
        "Most of sentences 0 and 2 is unknown to the model, which reads English: cosines of them tell nothing."
    )
    assert unread(["🍕"], read[:1], []) == "Most of sentence 0 is unknown to the model: cosines of it tell nothing."


@pytest.mark.parametrize("words", [["embed", "--bundle"], ["tokenize", "--bundle"]])
def test_the_command_line_says_so_beside_its_answer(words: list[str]) -> None:
    """On standard error, so that what reads the answer isn't disturbed."""
    answer = CliRunner().invoke(main, [*words, str(default_path()), "--json", "أحب القهوة في الصباح", "no dragons"])
    assert answer.exit_code == 0, answer.output
    assert answer.stderr.startswith("Warning: Most of sentence 0 is unknown to the model, which reads English:")
    assert len([json.loads(line) for line in answer.stdout.splitlines()]) == 2
    silent = CliRunner().invoke(main, [*words, str(default_path()), "no dragons"])
    assert silent.exit_code == 0
    assert "Warning" not in silent.stderr
