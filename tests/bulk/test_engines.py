"""The same by servers: the same bytes, several requests at once, and a bad sentence costs itself only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from tests.bulk import files
from tests.bulk.conftest import Embed, lines, write_lines

LONG = "dragons " * 50


@pytest.fixture(scope="module")
def servers(toy_bundle: Bundle) -> Iterator[list[Server]]:
    """Three of the toy model, the last of which takes little at a time."""
    settings = [{}, {}, {"max_sentences": 20, "max_message_bytes": 4096}]
    running = [
        Server(Settings(bundle=toy_bundle.path, device="cpu", port=0, http_port=0, workers=1, **each), lame_duck_s=0)
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
    texts = lines(1000)
    texts[10], texts[11], texts[999], texts[300] = "", "\x00", "\x01", LONG
    source = write_lines(tmp_path / "in.txt", texts)
    here, there = tmp_path / f"here.{output}", tmp_path / f"there.{output}"
    asked = ["--truncation", "error", "--normalize"]
    embed("--input", source, "--output", here, *asked)
    target = addresses(servers[which])
    embed("--input", source, "--output", there, *asked, "--server", target, local=False)
    assert there.read_bytes() == here.read_bytes()
    assert files.bad(there) == files.bad(here)
    assert sorted(files.bad(there)) == [10, 11, 300, 999]


def test_many_bad_ones_of_one_request(embed: Embed, servers: list[Server], tmp_path: Path) -> None:
    """Half of all, and all of them."""
    for name, code, texts in (("half", 0, ["dragons", "\x00"] * 100), ("all", 1, ["\x00"] * 200)):
        source = write_lines(tmp_path / f"{name}.txt", texts)
        made = tmp_path / f"{name}.npy"
        embed("--input", source, "--output", made, "--server", addresses(servers[:1]), local=False, code=code)
        assert sorted(files.bad(made)) == [row for row, text in enumerate(texts) if text == "\x00"]


def test_a_few_sentences_by_a_model_here(embed: Embed, servers: list[Server]) -> None:
    """`--bundle` needs no server, and options are the same."""
    flags = ["--json", "--normalize", "--encoding", "int8", "dragons", "a man"]
    here = embed(*flags).stdout
    assert here == embed(*flags, "--server", addresses(servers[:1]), local=False).stdout
    assert set(json.loads(here.splitlines()[0])) == {"embedding", "token_count", "truncated", "scale"}
    assert "cosine" in embed("dragons", "a man").stdout
