"""Files by Ray Data: the bytes of a run of one file."""

import gzip
import re
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.bulk import files
from tests.bulk.conftest import Embed, environment, lines
from tests.bulk.conftest import embed as embed_anywhere  # noqa: F401  a fixture

from .nodes import Cluster, head

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]
SPOKEN = "guitar"
"""A word of many sentences that must stand in no log."""


@pytest.fixture
def embed(embed_anywhere: Embed) -> Embed:  # noqa: F811
    """`bothends embed` in a process of its own: what Ray warns of isn't ours, and its threads end with it."""
    return partial(embed_anywhere, env=environment())


@pytest.fixture(scope="module", autouse=True)
def _token() -> Iterator[None]:
    """Give these clusters a token of their own, whatever this machine has."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_MODE", "token")
        patched.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield


@pytest.fixture(scope="module")
def cluster(_token: None) -> Iterator[Cluster]:
    """A node of 2 CPUs, in its own processes."""
    with head() as running:
        yield running


def by_ray(cluster: Cluster | None = None) -> list[object]:
    return ["--engine", "ray", *(["--address", cluster.address] if cluster else [])]


def write_many(folder: Path) -> Path:
    """Write files of each format, in folders, with bad rows; one no Parquet, one cut short, one of no known format."""
    (folder / "below").mkdir(parents=True)
    texts = lines(3000)
    texts[7], texts[8], texts[2999] = "", "\x00", " "
    files.write(folder / "a.parquet", texts, "parquet")
    files.write(folder / "below" / "b.jsonl", texts[:500], "jsonl")
    files.write(folder / "c.csv.gz", texts[:1200], "csv.gz")
    files.write(folder / "nothing.jsonl", [], "jsonl")
    (folder / "broken.parquet").write_bytes(f"PAR1 {SPOKEN} PAR1".encode())
    packed = gzip.compress(f"text\n{SPOKEN}\n".encode() * 5000)
    (folder / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "notes.md").write_text(SPOKEN)
    return folder


@pytest.mark.parametrize("output", ["parquet", "jsonl"])
def test_the_same_bytes_as_one_file_after_another(
    embed: Embed,
    cluster: Cluster,
    tmp_path: Path,
    output: str,
) -> None:
    """Bytes and bad rows are the same; unreadable files are named, the others done; so is the exit code."""
    source, made = write_many(tmp_path / "in"), tmp_path / "out"
    asked = ["--column", "text", "--normalize", "--encoding", "int8"]
    flags = ["--input", source, "--output", made, "--output-format", output, *asked, *by_ray(cluster)]
    ended = embed(*flags, code=1)
    errors = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2, ended.stderr
    for name, said in (("broken.parquet", "can't be read as Parquet"), ("cut.csv.gz", "is a broken gzip file")):
        assert any(f"{source / name} {said}" in line for line in errors), ended.stderr
    assert "notes.md is left out" in ended.stderr
    assert re.search(r"out: 4 files, 4,700 rows by toy 1.0 .* 7 have no vector, .* 2 files failed", ended.stderr)
    assert len(ended.stderr.splitlines()) == 4
    for name in ("a.parquet", "below/b.jsonl", "c.csv.gz"):
        there = made / name.partition(".")[0]
        here = tmp_path / f"here.{output}"
        embed("--input", source / name, "--output", here, "--overwrite", *asked)
        for suffix in ("", ".bad.jsonl"):
            assert Path(f"{there}.{output}{suffix}").read_bytes() == Path(f"{here}{suffix}").read_bytes(), name
    again = embed(*flags, code=1).stderr
    assert "out: 4 files (4 were there already), 4,700 rows" in again
    assert "broken.parquet" in again


def test_ray_has_logged_no_sentence(cluster: Cluster) -> None:
    """Logs of all the runs before hold no sentence: Ray logs what actors print and raise."""
    logs = [path for path in cluster.folder.rglob("*") if path.is_file() and path.suffix in (".log", ".err", ".out")]
    assert len(logs) > 10
    for path in logs:
        assert SPOKEN not in path.read_text(errors="replace"), path
