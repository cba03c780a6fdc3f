"""The same by servers: the same bytes, several requests at once, and a bad sentence costs itself only."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from tests.bulk import files
from tests.bulk.conftest import Embed, environment, lines, start, write_lines
from tests.support.serving import finish, restarted
from tests.support.serving import start as serve

LONG = "dragons " * 50


@pytest.fixture(scope="module")
def servers(toy_bundle: Bundle) -> Iterator[list[Server]]:
    """Three of the toy model, the last of which takes little at a time."""
    settings = [{}, {}, {"max_sentences": 20, "max_message_bytes": 4096}]
    running = [
        Server(Settings(bundle=toy_bundle.path, device="cpu", port=0, http_port=0, workers=1, **each))  # type: ignore[arg-type]
        for each in settings
    ]
    for each in running:
        each.start()
    yield running
    for each in running:
        each.stop()


def addresses(servers: list[Server]) -> str:
    return ",".join(f"127.0.0.1:{server.port}" for server in servers)


@pytest.mark.parametrize("output", files.OUTPUTS)
@pytest.mark.parametrize("which", [slice(1), slice(2), slice(2, 3)], ids=["one", "two", "a small one"])
def test_the_same_bytes_as_in_this_process(
    embed: Embed, servers: list[Server], tmp_path: Path, which: slice, output: str
) -> None:
    """Bad rows too: the server finds what only a tokenizer can."""
    texts = lines(5000)
    texts[10], texts[11], texts[4999], texts[300] = "", "\x00", "\x01", LONG
    source = write_lines(tmp_path / "in.txt", texts)
    here, there = tmp_path / f"here.{output}", tmp_path / f"there.{output}"
    asked = ["--truncation", "error", "--normalize"]
    embed("--input", source, "--output", here, *asked)
    target = addresses(servers[which])
    embed("--input", source, "--output", there, *asked, "--server", target, local=False)
    assert there.read_bytes() == here.read_bytes()
    assert files.bad(there) == files.bad(here)
    assert sorted(files.bad(there)) == [10, 11, 300, 4999]


def test_many_bad_ones_of_one_request(embed: Embed, servers: list[Server], tmp_path: Path) -> None:
    """Half of all, and all of them."""
    for name, texts in (("half", ["dragons", "\x00"] * 100), ("all", ["\x00"] * 200)):
        source = write_lines(tmp_path / f"{name}.txt", texts)
        made = tmp_path / f"{name}.npy"
        embed("--input", source, "--output", made, "--server", addresses(servers[:1]), local=False)
        assert sorted(files.bad(made)) == [row for row, text in enumerate(texts) if text == "\x00"]


def test_the_environment_names_servers_too(embed: Embed, servers: list[Server], tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.txt", ["dragons"])
    told = environment() | {"BOTHENDS_SERVER": addresses(servers[:1])}
    said = embed("--input", source, "--output", tmp_path / "out.npy", local=False, env=told).stderr
    assert "by toy 1.0" in said  # the packaged one is what this process would use


def test_where_a_model_runs_is_its_own_business(embed: Embed, tmp_path: Path) -> None:
    """A server's workers aren't the caller's to choose."""
    source = write_lines(tmp_path / "in.txt", ["dragons"])
    for flags in (
        ["--input", source, "--server", "127.0.0.1:1", "--workers", 2],
        ["dragons", "--server", "127.0.0.1:1", "--device", "cpu"],
        ["dragons", "--tls", "--precision", "int8"],
    ):
        assert "a server has its own" in embed(*flags, code=2, local=False).stderr


def test_no_server_is_one_line_at_once(embed: Embed, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.txt", ["dragons"])
    made = tmp_path / "out.npy"
    said = embed("--input", source, "--output", made, "--server", "127.0.0.1:1", "--timeout", "1", code=1, local=False)
    assert said.stderr.startswith("Error: no bothends server answers at 127.0.0.1:1")
    assert files.beside(made) == []


@pytest.mark.slow
def test_a_restart_of_the_server_is_outlasted(embed: Embed, toy_bundle: Bundle, tmp_path: Path) -> None:
    """Killed in the middle and started again at the same port, with no row lost."""
    source = write_lines(tmp_path / "in.txt", lines(60_000))
    made, here = tmp_path / "there.npy", tmp_path / "here.npy"
    embed("--input", source, "--output", here)
    flags = ["--bundle", str(toy_bundle.path), "--device", "cpu"]
    running = serve(*flags, log=tmp_path / "log")
    with start("--input", source, "--output", made, "--server", running.target) as process:
        while files.committed(made) <= 0:
            assert process.poll() is None
            time.sleep(0.001)
        finish(running)
        again = restarted(running, *flags, log=tmp_path / "log")
        try:
            assert process.wait(60) == 0
        finally:
            finish(again)
    assert made.read_bytes() == here.read_bytes()


def test_a_few_sentences_by_a_model_here(embed: Embed, servers: list[Server]) -> None:
    """`--bundle` needs no server, and options are the same."""
    flags = ["--json", "--normalize", "--encoding", "int8", "dragons", "a man"]
    here = embed(*flags).stdout
    assert here == embed(*flags, "--server", addresses(servers[:1]), local=False).stdout
    assert set(json.loads(here.splitlines()[0])) == {"embedding", "token_count", "truncated", "scale"}
    assert "cosine" in embed("dragons", "a man").stdout
