"""`bothends explain`: a table that is right, readable and documented, and one clear line where there can be none."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.core.embedder import Embedder
from bothends.core.explain import explain
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings

SENTENCE = "A man is playing a guitar on the street."


@pytest.fixture(scope="module")
def embedder(english: Bundle) -> Iterator[Embedder]:
    with Embedder.load(english, settings=EmbedderSettings(device="cpu", workers=1)) as loaded:
        yield loaded


def cli(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["explain", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_shows_a_table(embedder: Embedder) -> None:
    """The same numbers, within 80 columns, without colour where it is no terminal."""
    lines = cli(SENTENCE).splitlines()
    explanation = explain(SENTENCE, embedder)
    assert max(map(len, lines)) <= 80
    rows = {line[:14].strip(): line for line in lines}
    assert "\x1b" not in "".join(lines)
    assert {"playing", "guitar", "street"} <= set(rows)
    for name, vector in explanation.candidates.items():
        closeness = explanation.closeness(vector)
        numbers = [float(number) for number in rows[name].split()[1:4]]
        assert numbers == pytest.approx([closeness.whole, closeness.forward, closeness.backward], abs=5e-4)
    assert [line.count("◀") for line in lines[2:12]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "Error: sentences[0] is empty; a sentence needs at least one word\n"),
        (
            ["--bundle", "/nowhere", "a"],
            "Error: there is no bundle at /nowhere: no such folder, and none is fetched by name\n",
        ),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["explain", *arguments])
    assert (result.exit_code, result.output) == (1, message)
