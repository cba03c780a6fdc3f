"""Runs that can't begin on a Ray cluster are refused in one line, before Ray is started."""

import socket
import sys
from pathlib import Path

import pytest

from bothends.bulk.ray.cluster import check_answers
from bothends.errors import ConnectionFailedError
from tests.bulk.conftest import Embed, environment, write_lines
from tests.support.grpcs import serving
from tests.support.ran import ran
from tests.support.without import without


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ("--input in --output out --engine ray --server 127.0.0.1:1", 2, "--engine is for a model in this process"),
        ("--input in --engine ray", 2, "--output the folder for vectors"),
        ("--input in/a.txt --address 127.0.0.1:6379", 2, "--address is for --engine ray"),
        ("--input in --output out --engine ray --address ray://a:10001", 2, "say HOST:PORT of a Ray cluster"),
    ],
)
def test_it_is_one_line_and_nothing_is_written(embed: Embed, tmp_path: Path, flags: str, code: int, said: str) -> None:
    """Flags that can't be meant are refused before Ray is started."""
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "a.txt", ["dragons"])
    error = embed(*flags.split(), local=False, code=code, cwd=tmp_path).stderr
    assert error.count("\n") == 1
    assert said in error
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("listens", [True, False], ids=["silent", "closed"])
def test_no_cluster_is_known_soon(listens: bool) -> None:
    """Ray would try for minutes, where a port is closed and where it never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionFailedError, match=f"no Ray cluster answers at {address} within 0.2 s"):
            check_answers(address, within_s=0.2)


def test_a_cluster_that_answers_is_no_error() -> None:
    with serving() as server:
        check_answers(server.target, within_s=60)


@pytest.mark.parametrize("module", ["fsspec", "ray"])
def test_without_ray(tmp_path: Path, module: str) -> None:
    write_lines(tmp_path / "a.txt", ["dragons"])
    flags = ["embed", "--input", "a.txt", "--output", "out", "--engine", "ray"]
    ended = ran(sys.executable, "-c", without(module), *flags, cwd=tmp_path, env=environment())
    assert ended.stderr == f"Error: bothends embed needs {module}: pip install 'bothends[ray]'\n"
