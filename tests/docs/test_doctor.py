"""Code and commands of docs/guides/doctor.md run in order, and answer as it shows; it knows every mistake."""

import re
import shlex
import warnings
from pathlib import Path

import pytest

from bothends_doctor import advice
from tests.doctor.examining import call
from tests.support.paths import ROOT
from tests.support.shown import shown

GUIDE = ROOT / "docs" / "guides" / "doctor.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def alike(text: str) -> str:
    """Replace numbers, which other versions compute a little otherwise, and cut spaces before a line's end."""
    lines = [re.sub(r"\d+(\.\d+)*(e-\d+)?", "#", line.rstrip()) for line in text.splitlines()]
    return "\n".join(lines).strip()


def test_its_commands_answer_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```py\n(.*?)```", TEXT, re.DOTALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about itself
        exec(compile(code, str(GUIDE), "exec"), {"__name__": "example"})  # noqa: S102  our own document
    commands = shown(GUIDE)
    assert len(commands) == TEXT.count("```sh\n") == 3
    for command in commands:
        words = shlex.split(command.command)
        assert words[:2] == ["bothends", "doctor"]
        printed, told = alike(call(*words[2:]).stdout), alike(command.output)
        assert printed.endswith(told.removeprefix("…").strip()) if told.startswith("…") else printed == told


def test_it_knows_every_mistake_by_its_name() -> None:
    listed = {line.split(" | ")[0].removeprefix("| ") for line in TEXT.splitlines() if line.startswith("| ")}
    assert listed - {"it says"} == {advice.of(key).name for key in advice.known()}
