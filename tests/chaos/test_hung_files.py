"""Files of keys that hang, or that are half written, keep no caller waiting and nobody out who was let in before."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.server.keys import new
from tests.support.doors import put
from tests.support.serving import Running

from .answers import Reference
from .callers import OK, Caller, Tally, call_until
from .conftest import Form

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory


def test_a_pipe_and_half_a_file_in_place_of_keys(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path, form: Form
) -> None:
    """The keys of before go on; once there is a whole file again, what it lets in is let in."""
    (key, lines), (later, more) = new("before"), new("later")
    file, seconds = tmp_path / "keys.toml", form.pick(3, 20)
    put(file, lines.encode())
    running = serve("--api-keys", str(file), "--reload-s", "0.1")

    def calls(by: str, seconds: float) -> Tally:
        end = time.monotonic() + seconds
        with Caller(running.target, reference.only(range(1, 20)), seed=1, most=1, key=by) as caller:
            return call_until(caller, lambda _: time.monotonic() < end)

    alone = calls(key, seconds)
    file.unlink()
    os.mkfifo(file)
    hung = calls(key, seconds)
    file.unlink()
    file.write_text((lines + more)[:-20])
    half = calls(key, seconds)
    with file.open("a") as rest:
        rest.write((lines + more)[-20:])
    began = time.monotonic()
    while not calls_once(running, reference, later):
        assert time.monotonic() - began < 60
    back_s = time.monotonic() - began
    others = hung + half
    record("keys: a pipe, then half a file", lost=others.kinds.total() - others.kinds[OK], others=others.kinds[OK],
           others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms,
           others_longest_ms=1000 * max(others.seconds), new_key_let_in_after_s=back_s)  # fmt: skip
    assert set(others.kinds) == {OK}


def calls_once(running: Running, reference: Reference, key: str) -> bool:
    """Return whether a call with this key is answered."""
    with Caller(running.target, reference.only(range(1, 20)), seed=2, most=1, key=key) as caller:
        return caller.call() == OK
