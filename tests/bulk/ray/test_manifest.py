"""Outputs that are whole are left alone; a run that was stopped goes on; a broken record is named."""

from dataclasses import asdict
from pathlib import Path

import pytest

from bothends.bulk.ray.node import Node
from bothends.bulk.ray.plan import files as files_of
from bothends.errors import SettingsError
from bothends.model.bundle import Bundle
from bothends.options import EmbedOptions
from tests.bulk.conftest import lines, write_lines
from tests.bulk.ray.plans import OPTIONS, embedded, plan


def test_what_is_whole_is_left_alone(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Whole outputs aren't made anew; those that are gone are; changed inputs and files of others are named."""
    folder, made = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    made.mkdir()
    for name in ("a", "b", "c"):
        write_lines(folder / f"{name}.txt", lines(20))
    (made / "c.parquet").write_bytes(b"somebody's")
    first = embedded(plan(folder, made, toy_bundle))
    assert [each.get("was_there") for each in first] == [False, False, None]
    assert first[2]["problem"] == f"{made}/c.parquet is there already; --overwrite replaces it"
    before = (made / "a.parquet").stat().st_mtime_ns
    (made / "b.parquet").unlink()
    (folder / "c.txt").unlink()
    again = embedded(plan(folder, made, toy_bundle, run="second"))
    assert [(each["was_there"], each["rows"]) for each in again] == [(True, 20), (False, 20)]
    assert (made / "a.parquet").stat().st_mtime_ns == before
    assert (made / "c.parquet").read_bytes() == b"somebody's"
    write_lines(folder / "a.txt", lines(21))
    (changed, _) = embedded(plan(folder, made, toy_bundle, run="third"))
    assert f"{folder}/a.txt has changed since it was embedded: it had " in changed["problem"]


def test_overwritten(toy_bundle: Bundle, tmp_path: Path) -> None:
    """All of it is done anew, by any options; a run that was stopped in the middle of that goes on."""
    folder, made = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b"):
        write_lines(folder / f"{name}.txt", lines(20))
    embedded(plan(folder, made, toy_bundle))
    other = {"options": EmbedOptions(**(OPTIONS | {"normalize": True}))}
    with pytest.raises(SettingsError, match="begun otherwise: normalize was False and is True now"):
        Node(asdict(plan(folder, made, toy_bundle, run="second", **other)))
    given = plan(folder, made, toy_bundle, run="third", overwrite=True, **other)
    node, (one, two) = Node(asdict(given)), files_of(given)[0]
    assert not node.embed(asdict(one), lambda *_: None)["was_there"]
    going_on = Node(asdict(plan(folder, made, toy_bundle, run="fourth", overwrite=True, **other)))
    assert [going_on.embed(asdict(file), lambda *_: None)["was_there"] for file in (one, two)] == [True, False]


def test_a_broken_record_is_named(toy_bundle: Bundle, tmp_path: Path) -> None:
    write_lines(tmp_path / "a.txt", ["dragons"])
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    embedded(given)
    (tmp_path / "out" / "_bothends" / "a.parquet.json").write_text("{}")
    (said,) = embedded(given)
    assert said["problem"] == f"{tmp_path}/out/_bothends/a.parquet.json can't be read as a record (KeyError); remove it"
