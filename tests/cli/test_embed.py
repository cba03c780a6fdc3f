"""`bothends embed` of a few sentences: the numbers that a client gives, from a server or by a model here."""

import json
import os
import pty
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bothends import Client
from bothends.cli.main import main
from bothends.model.bundle import Bundle
from tests.support.serving import BOTHENDS, Running
from tests.support.until import TIMEOUT_S

SENTENCES = ["there will be dragons", "dragons"]


def bothends(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [BOTHENDS, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_embed_prints_vectors_as_json(shared: Running) -> None:
    """One object a sentence, with the very numbers that the client gives."""
    answer = bothends("embed", "--server", shared.target, "--json", "there will be dragons", "dragons")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    with Client(shared.target) as client:
        rows = client.encode(["there will be dragons", "dragons"])
    assert np.array_equal(np.array([line["embedding"] for line in lines], dtype=np.float32), rows)
    assert [(line["token_count"], line["truncated"]) for line in lines] == [(4, False), (1, False)]


@pytest.mark.parametrize("model", [[], ["--bundle", "english"]], ids=["packaged", "by name"])
def test_without_a_server_the_model_runs_here(english: Bundle, model: list[str]) -> None:
    """Nobody is asked, and standard error says so: its output is what a server's would be."""
    answer = CliRunner().invoke(main, ["embed", *model, *SENTENCES], env={"BOTHENDS_SERVER": ""})
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith(f"512 numbers a sentence (model version {english.config.version})\n")
    assert answer.stderr == (
        f"Embedded in this process by english {english.config.version}; --server HOST:PORT asks a server instead.\n"
    )


def test_a_server_is_asked_where_one_is_named(shared: Running) -> None:
    """By a flag or by the environment; either way its numbers come, and its address is told."""
    here = CliRunner().invoke(main, ["embed", *SENTENCES])
    for flags, environment in ((["--server", shared.target], {}), ([], {"BOTHENDS_SERVER": shared.target})):
        answer = CliRunner().invoke(main, ["embed", *flags, *SENTENCES], env=environment)
        assert answer.stdout == here.stdout
        assert answer.stderr.startswith(f"Embedded by the server at {shared.target}; ")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--bundle", "english", "--tls"], "--bundle embeds in this process, --tls elsewhere; give one of them"),
        (["--server", "127.0.0.1:1", "--workers", "1"], "--workers is for a model in this process; a server has"),
        (["--ca", "ca.pem", "--device", "cpu"], "--device is for a model in this process; a server has its own"),
    ],
)
def test_flags_of_two_places_are_refused(flags: list[str], said: str) -> None:
    answer = CliRunner().invoke(main, ["embed", *flags, "a"])
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_folder_called_english_is_that_folder(
    toy_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "english").symlink_to(toy_bundle.path)
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(main, ["embed", "--bundle", "english", "a"])
    assert f"Embedded in this process by toy {toy_bundle.config.version}" in answer.stderr


@pytest.fixture
def d_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a file with one sentence, in the folder that commands work in."""
    (tmp_path / "d.csv").write_text("text\nthere will be dragons\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "d.csv"


def test_a_files_name_is_no_sentence_unless_that_is_said(d_csv: str) -> None:
    """Where nobody can be asked, one line says how to have either."""
    for sentences in ([d_csv], [*SENTENCES, d_csv]):
        answer = CliRunner().invoke(main, ["embed", *sentences])
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.splitlines()[-1] == (
            "Error: d.csv is a file: --input d.csv embeds the sentences in it, --literal its name as a sentence"
        )
    answer = CliRunner().invoke(main, ["embed", "--literal", d_csv])
    assert answer.stdout.endswith("  d.csv\n")


@pytest.mark.parametrize("sentence", ["what is d.csv", "nothing.csv", "dragons"])
def test_what_is_no_file_is_a_sentence(d_csv: str, sentence: str) -> None:
    """A name that looks like a file's and is none is told, since it may be a slip."""
    answer = CliRunner().invoke(main, ["embed", sentence])
    assert answer.stdout.endswith(f"  {sentence}\n")
    is_told = "there is no file nothing.csv; its name is embedded as a sentence" in answer.stderr
    assert is_told == (sentence == "nothing.csv")


@pytest.mark.parametrize("typed", ["y", pytest.param("n", marks=pytest.mark.slow)])
def test_a_person_at_a_terminal_is_asked(d_csv: str, typed: str) -> None:
    person, terminal = pty.openpty()
    os.write(person, f"{typed}\n".encode())
    streams = {"stdin": terminal, "stderr": terminal, "stdout": subprocess.PIPE}
    answer = subprocess.run([BOTHENDS, "embed", d_csv], text=True, check=True, timeout=TIMEOUT_S, **streams)  # type: ignore[call-overload]
    asked = os.read(person, 1000).decode()
    os.close(person)
    os.close(terminal)
    assert "d.csv is a file. Embed the sentences in it (n: its name, as a sentence)? [Y/n]:" in asked
    if typed == "y":
        assert len(json.loads(answer.stdout)["embedding"]) == 512
    else:
        assert answer.stdout.endswith("  d.csv\n")
