"""Answers of an actor, which Ray starts on a node: what the node lacks, and what became of a file."""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bothends.bulk.ray.actor import Actor
from bothends.bulk.ray.plan import files as files_of
from bothends.model.bundle import Bundle
from tests.bulk.conftest import write_lines
from tests.bulk.ray.plans import plan

VERSIONS = {"Python": platform.python_version(), "bothends": version("bothends")}


def answer(actor: Actor, file: Any) -> dict[str, Any]:
    (only,) = actor({"file": [json.dumps(asdict(file))]})["answer"]
    found: dict[str, Any] = json.loads(only)
    return found


def test_a_file_is_answered_with_its_counts(toy_bundle: Bundle, tmp_path: Path) -> None:
    write_lines(tmp_path / "a.txt", ["dragons", "a man"])
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    (file,) = files_of(given)[0]
    found = answer(Actor(VERSIONS, asdict(given), None), file)
    assert (found["output"], found["node"], found["rows"]) == ("a.parquet", platform.node(), 2)


def test_another_version_is_fatal(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Nodes of another version might give other bytes; the model isn't even loaded."""
    write_lines(tmp_path / "a.txt", ["dragons"])
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    (file,) = files_of(given)[0]
    for name, ours in VERSIONS.items():
        found = answer(Actor(VERSIONS | {name: "0.0"}, asdict(given), None), file)
        problem = f"{name} is {ours} there, and 0.0 where the command runs"
        assert (found["problem"], found["is_fatal"], found["is_setting"]) == (problem, True, False)
    assert not (tmp_path / "out").exists()


def test_what_every_file_would_meet_is_fatal(tmp_path: Path) -> None:
    """A model that isn't there ends the run, not one file after another."""
    write_lines(tmp_path / "a.txt", ["dragons"])
    given = plan(tmp_path / "a.txt", tmp_path / "out")
    missing = asdict(given) | {"bundle": str(tmp_path / "nowhere")}
    found = answer(Actor(VERSIONS, missing, None), files_of(given)[0][0])
    assert found["is_fatal"]
    assert found["problem"].startswith("there is no bundle at ")
