"""Files through a node: one that kills its reader is named, and no error tells of a sentence."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from bothends import Encoder
from bothends.bulk.engines import EmbedResult
from bothends.bulk.ray.node import Node
from bothends.bulk.ray.plan import files as files_of
from bothends.model.bundle import Bundle
from tests.bulk.conftest import KeptEngine, lines, write_lines
from tests.bulk.ray.plans import OPTIONS, embedded, plan


class FailingEngine(KeptEngine):
    """The toy model, with an error in place of vectors."""

    def __init__(self, encoder: Encoder, error: BaseException) -> None:
        super().__init__(encoder, OPTIONS)
        self._error = error

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        raise self._error


def test_a_file_that_kills_its_reader_is_named(toy_bundle: Bundle, encoder: Encoder, tmp_path: Path) -> None:
    """Ray would have it read for ever, each time by another process."""
    write_lines(tmp_path / "a.txt", lines(3))
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    for _ in range(3):
        node = Node(asdict(given), load=lambda _: FailingEngine(encoder, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            node.embed(asdict(files_of(given)[0][0]), lambda *_: None)
    (said,) = embedded(given)
    assert said["problem"].startswith(f"{tmp_path}/a.txt: the process that embedded it has died 3 times")
    (next_command,) = embedded(plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle, run="second"))
    assert next_command["rows"] == 3


def test_no_error_tells_of_a_sentence(toy_bundle: Bundle, encoder: Encoder, tmp_path: Path) -> None:
    """Ray may log answers, so an unexpected error is described by its kind and place only."""
    write_lines(tmp_path / "a.txt", ["dragons"])
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    node = Node(asdict(given), load=lambda _: FailingEngine(encoder, ValueError("can't do ['dragons']")))
    said = node.embed(asdict(files_of(given)[0][0]), lambda *_: None)
    assert "ValueError in test_node.py:" in said["problem"]
    assert "dragons" not in json.dumps(said)


def test_progress_is_reported_by_bytes_and_rows(toy_bundle: Bundle, tmp_path: Path) -> None:
    """The last report is of the whole file."""
    write_lines(tmp_path / "a.txt", lines(10))
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    (file,) = files_of(given)[0]
    seen: list[tuple[str, int, int]] = []
    Node(asdict(given)).embed(asdict(file), lambda *report: seen.append(report))
    assert seen[-1] == ("a.parquet", file.bytes, 10)
