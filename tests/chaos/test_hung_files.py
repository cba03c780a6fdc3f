"""Files of keys that hang, or that are half written, keep no caller waiting and nobody out who was let in before."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.server.keys import new
from tests.support.doors import put
from tests.support.serving import Running
from tests.support.until import until

from .answers import Reference
from .callers import OK, Caller
from .conftest import Form
from .costs import Costs, singles

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory


def test_a_pipe_and_half_a_file_in_place_of_keys(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path, form: Form
) -> None:
    """The keys of before go on; once there is a whole file again, what it lets in is let in."""
    (key, lines), (later, more) = new("before"), new("later")
    file, seconds = tmp_path / "keys.toml", form.pick(3, 20)
    put(file, lines.encode())
    running = serve("--api-keys", str(file), reload_s=0.1)

    with Costs(running, singles(running, reference, key=key)) as costs:
        file.unlink()
        os.mkfifo(file)
        with costs.calling():
            time.sleep(seconds)  # the time that is measured
        file.unlink()
        file.write_text((lines + more)[:-20])
        with costs.calling():
            time.sleep(seconds)  # the time that is measured
        with file.open("a") as rest:
            rest.write((lines + more)[-20:])
        began = time.monotonic()
        until(lambda: calls_once(running, reference, later))
        let_in_s = time.monotonic() - began
        costs.recover()
    record("keys: a pipe, then half a file", others_longest_ms=1000 * max(costs.others.seconds),
           new_key_let_in_after_s=let_in_s,
           **costs.figures(sent_bytes=0, before="gRPC stopped for ever"))  # fmt: skip
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def calls_once(running: Running, reference: Reference, key: str) -> bool:
    """Return whether a call with this key is answered."""
    with Caller(running.target, reference.only(range(1, 20)), seed=2, most=1, key=key) as caller:
        return caller.call() == OK
