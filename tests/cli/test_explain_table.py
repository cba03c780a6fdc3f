"""`bothends explain`: a table that is right, readable and documented, and one clear line where there can be none."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.core.embedder import Embedder
from bothends.core.explain import explain
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings
from tests.support.paths import ROOT

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


def test_the_documents_table_is_what_it_prints() -> None:
    """Tables agree but for the last digit, which may differ on another machine."""
    page = (ROOT / "docs" / "fronts" / "page.md").read_text(encoding="utf-8")
    (documented,) = re.findall(r"```console\n\$ bothends explain [^\n]*\n(.*?)```", page, re.DOTALL)
    printed = cli(SENTENCE)
    number = r"-?\d\.\d{3}"
    bars = r"[█▏▎▍▌▋▊▉]+ *"
    assert re.sub(f"{number}|{bars}", "", printed) == re.sub(f"{number}|{bars}", "", documented)
    found, expected = ([float(text) for text in re.findall(number, table)] for table in (printed, documented))
    assert found == pytest.approx(expected, abs=2e-3)


def test_the_command_prints_json(embedder: Embedder) -> None:
    """All numbers of each state."""
    assert json.loads(cli("--json", "there will be dragons")) == explain("there will be dragons", embedder).as_json()


def test_the_command_takes_a_bundle(toy_bundle: Bundle) -> None:
    """One folder, and a sentence longer than the model reads."""
    lines = cli("--bundle", str(toy_bundle.path), "dragons " * 60).splitlines()
    assert "The sentence was cut to its first 40 tokens, as many as the model reads." in lines
    assert "32 numbers" in "".join(lines)


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


def test_the_command_says_what_to_install() -> None:
    """A client's installation has no engine."""
    code = (
        "import sys; sys.modules['onnxruntime'] = sys.modules['bothends_native'] = None\n"
        "from bothends.cli.main import main; main(['explain', 'there will be dragons'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "Error: bothends explain needs onnxruntime: pip install 'bothends[cpu]'\n"
