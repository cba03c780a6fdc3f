"""Files by Ray Data: the bytes of a run of one file, through kills, and nodes that lack a part."""

import gzip
import importlib.util
import os
import re
import secrets
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.bulk import files
from tests.bulk.conftest import Embed, environment, lines, start, write_lines
from tests.bulk.conftest import embed as embed_anywhere  # noqa: F401  a fixture
from tests.bulk.files import committed
from tests.support.until import until

from .nodes import Cluster, finish, head, node

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


def test_killed_half_way(embed: Embed, cluster: Cluster, tmp_path: Path) -> None:
    """SIGKILL while files are half done: it goes on, nothing is lost, nothing is there twice."""
    folder, made, rows = tmp_path / "in", tmp_path / "out", 20_000
    folder.mkdir()
    names = ["a", "b", "c"]
    for seed, name in enumerate(names):
        texts = lines(rows, seed=seed)
        texts[::100] = [""] * len(texts[::100])
        write_lines(folder / f"{name}.txt", texts)
    flags = ["--input", folder, "--output", made, "--device", "cpu", *by_ray()]

    def begun() -> dict[str, int]:
        return {name: committed(made / f"{name}.parquet") for name in names}

    with start(*flags, stderr=subprocess.DEVNULL) as process:
        until(lambda: process.poll() is not None or max(begun().values()) >= 4096)
        assert process.poll() is None
        process.kill()
    left = begun()
    assert any(0 < each < rows for each in left.values()), "it was done before it could be killed"
    other = embed(*flags, "--normalize", "--address", cluster.address, local=False, code=2).stderr
    assert other.startswith(f"Error: {made} was begun otherwise: normalize was False and is True now")
    assert other.count("\n") == 1
    said = embed(*flags, "--address", cluster.address, local=False).stderr
    assert re.search(r"out: 3 files.*, 60,000 rows", said), said
    for name in names:
        there, here = made / f"{name}.parquet", tmp_path / f"{name}.parquet"
        embed("--input", folder / f"{name}.txt", "--output", here, "--device", "cpu", local=False)
        assert there.read_bytes() == here.read_bytes(), left
        assert sorted([*files.read(there), *files.bad(there)]) == list(range(rows))
    assert sorted(path.name for path in made.iterdir()) == sorted(
        ["_bothends", *(f"{name}.parquet{suffix}" for name in names for suffix in ("", ".bad.jsonl"))]
    )


def test_what_a_node_lacks(embed: Embed, cluster: Cluster, tmp_path: Path) -> None:
    """An error of one line names the node, and no file is written: an unreadable bundle, another bothends."""
    folder, made, name = tmp_path / "in", tmp_path / "out", socket.gethostname()
    folder.mkdir()
    for each in range(8):
        write_lines(folder / f"{each}.txt", lines(10))
    flags = ["--input", folder, "--output", made, *by_ray(cluster)]
    without = environment() | {"RAY_AUTH_TOKEN": "another"}
    said = embed(*flags, code=1, env=without).stderr
    assert said.endswith("where it has a token, set RAY_AUTH_MODE=token\n")
    assert said.count("\n") == 1
    nowhere = tmp_path / "nowhere"
    said = embed(*flags, "--bundle", nowhere, local=False, code=1).stderr
    assert said == f"Error: node {name}: there is no bundle at {nowhere}: no such folder, and none is fetched by name\n"
    stub = tmp_path / "stub" / "bothends-9.9.dist-info"
    stub.mkdir(parents=True)
    (stub / "METADATA").write_text("Metadata-Version: 2.1\nName: bothends\nVersion: 9.9\n")
    path = f"{stub.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    other = node(f"--address={cluster.address}", cpus=3, PYTHONPATH=path)
    try:
        said = ""

        def has_joined() -> bool:
            nonlocal said
            said = embed(*flags, "--workers", 3, code=None).stderr  # only that one has so many CPUs
            return "no node" not in said

        until(has_joined)
    finally:
        finish(other)
    assert re.fullmatch(f"Error: node {name}: bothends is 9.9 there, and [0-9.]+ where the command runs\n", said), said


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("moto", "s3fs", "flask"))), reason="s3fs and moto[server] are missing"
)
def test_from_and_to_an_object_store(
    embed: Embed,
    tmp_path: Path,
) -> None:
    """The same bytes come by S3, of a pattern, and bad rows too; no other object is left there."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    told = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    try:
        import s3fs

        store = s3fs.S3FileSystem(endpoint_url=told["AWS_ENDPOINT_URL"], key="a", secret="b")  # noqa: S106
        store.mkdir("bucket")
        source = write_many(tmp_path / "in")
        for name in ("a.parquet", "below/b.jsonl"):
            store.put_file(str(source / name), f"bucket/in/{name}")
        flags = ["--input", "s3://bucket/in/**", "--output", "s3://bucket/out", "--column", "text", *by_ray()]
        said = embed(*flags, env=environment() | told).stderr
        assert "s3://bucket/out: 2 files, 3,500 rows" in said
        store.invalidate_cache()
        for name, output in (("a.parquet", "a.parquet"), ("below/b.jsonl", "below/b.parquet")):
            embed("--input", source / name, "--output", tmp_path / "here.parquet", "--overwrite", "--column", "text")
            for suffix in ("", ".bad.jsonl"):
                there = store.cat_file(f"bucket/out/{output}{suffix}")
                assert there == Path(f"{tmp_path}/here.parquet{suffix}").read_bytes()
        assert not [path for path in store.find("bucket/out") if "partial" in path or "journal" in path]
    finally:
        server.stop()


def test_ray_has_logged_no_sentence(cluster: Cluster) -> None:
    """Logs of all the runs before hold no sentence: Ray logs what actors print and raise."""
    logs = [path for path in cluster.folder.rglob("*") if path.is_file() and path.suffix in (".log", ".err", ".out")]
    assert len(logs) > 10
    for path in logs:
        assert SPOKEN not in path.read_text(errors="replace"), path
