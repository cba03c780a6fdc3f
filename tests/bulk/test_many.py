"""Many files without Ray: which they are, what they become, and what a node does with each, wherever they are."""

import gzip
import json
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fsspec
import pytest

from bothends.bulk.ray import storage
from bothends.bulk.ray.node import Node
from bothends.bulk.ray.plan import Plan
from bothends.bulk.ray.plan import files as files_of
from bothends.errors import BothendsError, SettingsError
from bothends.model.bundle import Bundle
from bothends.options import EmbedOptions

from . import files
from .conftest import Embed, environment, lines, write_lines
from .test_refusals import WITHOUT

ASKED = EmbedOptions(truncation="start", normalize=False, dimensions=None, encoding="float32")


@pytest.fixture(autouse=True)
def _empty_memory() -> Iterator[None]:
    yield
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def plan(source: object, output: object, bundle: Bundle | None = None, **changed: Any) -> Plan:
    """To Parquet, by the toy model."""
    model = {"device": "cpu", "workers": 1}
    usual: dict[str, Any] = {"column": None, "keep": (), "overwrite": False, "asked": ASKED, "run": "first"}
    usual |= {"input_format": None, "output_format": "parquet", "model": model}
    return Plan(str(source), str(output), bundle=bundle and str(bundle.path), **(usual | changed))


def embedded(given: Plan) -> list[dict[str, Any]]:
    """What a node says of each file, the last by name first."""
    node = Node(asdict(given))
    listed = sorted(files_of(given)[0], key=lambda file: file.output)
    return [node.embed(asdict(file), lambda *_: None) for file in listed]


def test_a_folder_a_pattern_and_a_file(tmp_path: Path) -> None:
    """Names stay as they are below what was named; what is hidden or has no known format is left out."""
    for name in ("a.txt", "b.csv.gz", "below/deep/c.parquet", ".hidden.txt", "_bothends/job.json", "notes.md"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text\n" * (1 + len(name)))

    def outputs(source: object) -> list[str]:
        return [file.output for file in files_of(plan(source, tmp_path / "out"))[0]]

    folder = tmp_path / "in"
    assert outputs(folder) == ["below/deep/c.parquet", "b.parquet", "a.parquet"], "the largest first"
    assert outputs(f"file://{folder}") == outputs(folder)
    assert files_of(plan(folder, tmp_path / "out"))[1] == ["notes.md"]
    assert outputs(folder / "*.txt") == ["a.parquet"]
    assert outputs(folder / "**" / "*.parquet") == ["below/deep/c.parquet"]
    assert outputs(folder / "a.txt") == ["a.parquet"]
    (folder / "odd[1].txt").write_text("dragons")
    assert outputs(folder / "odd[1].txt") == ["odd[1].parquet"]


@pytest.mark.parametrize(
    ("names", "source", "output", "changed", "said"),
    [
        (["a.txt", "a.csv"], "in", "out", {}, "a.csv and a.txt would both become a.parquet; give one of them"),
        (["a.txt", "b.txt"], "in", "in/out", {}, "its files would be inputs of the next run"),
        (["a.md"], "in", "out", {}, "no file in it whose name ends in .txt, .csv"),
        (["a.csv", "b.txt"], "in", "out", {"column": "text"}, "b.txt: a text file has no columns"),
        ([], "nowhere", "out", {}, "nowhere can't be read: there is no such file or folder"),
        ([], "nosuch://bucket/in", "out", {}, "nosuch://bucket/in can't be read: Protocol not known: nosuch"),
    ],
)
def test_what_cant_be_meant(
    tmp_path: Path, names: list[str], source: str, output: str, changed: dict[str, Any], said: str
) -> None:
    for name in names:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("text\n")
    where = source if "://" in source else tmp_path / source
    with pytest.raises(BothendsError, match="(?s)" + said.replace("*", r"\*")):
        files_of(plan(where, tmp_path / output, **changed))


@pytest.mark.parametrize("kind", ["parquet", "csv.gz"])
@pytest.mark.parametrize("from_where", ["memory://in", "zip://*::{folder}/in.zip"])
def test_from_and_to_a_store(embed: Embed, toy_bundle: Bundle, tmp_path: Path, from_where: str, kind: str) -> None:
    """What is fetched and put has the bytes of a run from file to file, and leaves nothing else there."""
    texts = lines(300)
    texts[5] = ""
    source = files.write(tmp_path / f"a.{kind}", texts, kind)
    store = fsspec.filesystem("memory")
    store.pipe_file(f"/in/a.{kind}", source.read_bytes())
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as packed:
        packed.write(source, source.name)
    given = plan(from_where.format(folder=tmp_path), "memory://out", toy_bundle, column="text")
    (said,) = embedded(given)
    assert (said["rows"], said["bad_rows"]) == (300, 1), said
    embed("--input", source, "--output", tmp_path / "here.parquet", "--column", "text")
    for suffix in ("", ".bad.jsonl"):
        assert store.cat_file(f"/out/a.parquet{suffix}") == Path(f"{tmp_path}/here.parquet{suffix}").read_bytes()
    names = ["/out/_bothends/a.parquet.json", "/out/_bothends/job.json", "/out/a.parquet", "/out/a.parquet.bad.jsonl"]
    assert store.find("/out") == names


def test_what_is_whole_is_left_alone(toy_bundle: Bundle, tmp_path: Path) -> None:
    """By the next command; not what is gone; and what changed meanwhile, or was there before, is told of."""
    folder, made = tmp_path / "in", tmp_path / "out"
    folder.mkdir(), made.mkdir()
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
    other = {"asked": EmbedOptions(**(ASKED | {"normalize": True}))}
    with pytest.raises(SettingsError, match="begun otherwise: normalize was False and is True now"):
        Node(asdict(plan(folder, made, toy_bundle, run="second", **other)))
    given = plan(folder, made, toy_bundle, run="third", overwrite=True, **other)
    node, (one, two) = Node(asdict(given)), files_of(given)[0]
    assert not node.embed(asdict(one), lambda *_: None)["was_there"]
    going_on = Node(asdict(plan(folder, made, toy_bundle, run="fourth", overwrite=True, **other)))
    assert [going_on.embed(asdict(file), lambda *_: None)["was_there"] for file in (one, two)] == [True, False]


def test_a_file_that_kills_its_reader_is_named(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Ray would have it read for ever, each time by another process."""
    write_lines(tmp_path / "a.txt", lines(3))
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    for _ in range(3):
        node = Node(asdict(given))
        node._through = _die  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            node.embed(asdict(files_of(given)[0][0]), lambda *_: None)
    (said,) = embedded(given)
    assert said["problem"].startswith(f"{tmp_path}/a.txt: the process that embedded it has died 3 times")
    (next_command,) = embedded(plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle, run="second"))
    assert next_command["rows"] == 3


def _die(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_nothing_of_a_sentence_is_told(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Of an error that nobody expected its kind and place only, which Ray may log."""
    write_lines(tmp_path / "a.txt", ["dragons"])
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    node = Node(asdict(given))

    def fail(texts: list[str]) -> Any:
        raise ValueError(f"can't do {texts}")

    node._engine.embed = fail  # type: ignore[method-assign,assignment]
    said = node.embed(asdict(files_of(given)[0][0]), lambda *_: None)
    assert "ValueError in test_many.py:" in said["problem"]
    assert "dragons" not in json.dumps(said)


def test_a_broken_record_is_named(toy_bundle: Bundle, tmp_path: Path) -> None:
    write_lines(tmp_path / "a.txt", ["dragons"])
    given = plan(tmp_path / "a.txt", tmp_path / "out", toy_bundle)
    embedded(given)
    (tmp_path / "out" / "_bothends" / "a.parquet.json").write_text("{}")
    (said,) = embedded(given)
    assert said["problem"] == f"{tmp_path}/out/_bothends/a.parquet.json can't be read as a record (KeyError); remove it"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cant_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BothendsError, match="can't be written: Permission denied"):
        storage.OutputFolder(str(tmp_path / "out")).write("a", b"")


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ("--input in --output out --engine ray --server 127.0.0.1:1", 2, "--engine is for a model in this process"),
        ("--input in --engine ray", 2, "--output the folder for vectors"),
        ("--input - --output out --engine ray", 2, "--input names them"),
        ("--input in/a.txt --address 127.0.0.1:6379", 2, "--address is for --engine ray"),
        ("--input in --output out --engine ray --address ray://a:10001", 2, "say HOST:PORT of a Ray cluster"),
        ("--input in --output out --engine ray --address here", 2, "say HOST:PORT of a Ray cluster"),
        ("--input in --output out --engine ray --output-format npy --encoding int8", 2, "no place for the scales"),
        ("--input in --output out --engine ray --address 127.0.0.1:{closed}", 1, "no Ray cluster answers at"),
        ("--input in --output out --engine ray --address 127.0.0.1:{silent}", 1, "no Ray cluster answers at"),
    ],
)
def test_it_is_one_line_and_nothing_is_written(embed: Embed, tmp_path: Path, flags: str, code: int, said: str) -> None:
    """Before Ray is started, and soon."""
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "a.txt", ["dragons"])
    with socket.socket() as silent, socket.socket() as closed:
        for each in (silent, closed):
            each.bind(("127.0.0.1", 0))
        silent.listen()
        ports = {"silent": silent.getsockname()[1], "closed": closed.getsockname()[1]}
        error = embed(*flags.format(**ports).split(), local=False, code=code, cwd=tmp_path, timeout=30).stderr
    assert error.count("\n") == 1
    assert said in error
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("module", ["fsspec", "ray"])
def test_without_ray(tmp_path: Path, module: str) -> None:
    write_lines(tmp_path / "a.txt", ["dragons"])
    flags = ["embed", "--input", "a.txt", "--output", "out", "--engine", "ray"]
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, *flags],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert ended.stderr == f"Error: bothends embed needs {module}: pip install 'bothends[ray]'\n"


def test_a_packed_file_keeps_its_name(tmp_path: Path) -> None:
    """And one whose name says nothing gets one, where its format is said."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "v1.2.txt.gz").write_bytes(gzip.compress(b"dragons\n"))
    (tmp_path / "in" / "part-0001").write_bytes(b"dragons\n")
    given = plan(tmp_path / "in", tmp_path / "out", input_format="txt", output_format="npy")
    assert sorted(file.output for file in files_of(given)[0]) == ["part-0001.npy", "v1.2.npy"]
