"""Public sets are fetched whole or not at all, and are what was measured: over HTTP, from a server of this process."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from bothends_training import cli
from bothends_training.fetch import FetchError, fetch
from bothends_training.originals import stsb_table
from bothends_training.public_sets import SETS, PublicSet

TABLE = b'"A plane, taking off.","An air plane, ""taking"" off.",5.0\r\nNo dragons.,Dragons.,2.2\r\n'


@contextmanager
def given_away(content: bytes, *, told: int | None = None, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A server of `content`, which says that it has `told` bytes: its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if told is None else told))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/set", asked
        finally:
            server.shutdown()
            thread.join()


def pairs(*urls: str, sha256: str | None = None, count: int = 2) -> PublicSet:
    return PublicSet("toy", "pairs", urls, stsb_table, {"": count}, sha256)


def test_a_set_is_fetched_once(tmp_path: Path) -> None:
    """It becomes a file that `evaluate` reads; what is there isn't asked for again."""
    with given_away(TABLE) as (url, asked):
        wanted = pairs(url, sha256=hashlib.sha256(TABLE).hexdigest())
        index = fetch(wanted, tmp_path / "sets")
        assert fetch(wanted, tmp_path / "sets") == index
    assert asked == ["/set"]
    first, second = index.read_text("utf-8").splitlines()
    assert first == '5\tA plane, taking off.\tAn air plane, "taking" off.'
    assert second == "2.2\tNo dragons.\tDragons."


@pytest.mark.parametrize(
    ("content", "told", "status", "change", "said"),
    [
        (TABLE, None, 200, {"sha256": "0" * 64}, f"its SHA-256 is {hashlib.sha256(TABLE).hexdigest()}, not 000"),
        (TABLE, None, 200, {"count": 3}, "isn't what was measured: it makes 2 lines, not 3 lines"),
        (TABLE, len(TABLE) + 9, 200, {}, "was cut after"),
        (b"<html>moved</html>", None, 200, {}, "toy can't be read: "),
        (b"", None, 404, {}, "Not Found"),
    ],
    ids=["hash", "count", "cut", "page", "gone"],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    content: bytes, told: int | None, status: int, change: dict[str, object], said: str, tmp_path: Path
) -> None:
    with given_away(content, told=told, status=status) as (url, _), pytest.raises(FetchError) as refused:
        fetch(pairs(url, **change), tmp_path)  # type: ignore[arg-type]
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_it_says_so_and_asks_the_next_address(tmp_path: Path) -> None:
    """A port that nobody listens at any more is as good as no network."""
    with given_away(TABLE) as (gone, _):
        pass
    with pytest.raises(FetchError, match=r"toy can't be fetched: http://127\.0\.0\.1:\d+/set: .*refused"):
        fetch(pairs(gone), tmp_path)
    with given_away(TABLE) as (url, _):
        assert fetch(pairs(gone, url), tmp_path).exists()


@pytest.fixture
def one_set(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has `bothends evaluate` take sts-b-test from an address of ours, with two pairs."""

    def taken_from(url: str) -> None:
        monkeypatch.setitem(SETS, "sts-b-test", replace(pairs(url), name="sts-b-test"))

    return taken_from


def test_evaluate_fetches_only_where_it_is_told_to(one_set: Callable[[str], None], tmp_path: Path) -> None:
    """Without --fetch it says where the set comes from; with it the packaged model is scored."""
    words = ["--set", "sts-b-test", "--sets-folder", str(tmp_path)]
    with given_away(TABLE) as (url, asked):
        one_set(url)
        told = CliRunner().invoke(cli.evaluate, words)
        assert isinstance(told.exception, FetchError)
        assert f"It comes from {url}" in str(told.exception)
        assert "--fetch fetches it" in str(told.exception)
        assert asked == []
        scored = CliRunner().invoke(cli.evaluate, [*words, "--fetch"])
    assert scored.exit_code == 0, scored.output
    assert asked == ["/set"]
    assert "sts-b-test" in scored.output
    assert "100.00" in scored.output
