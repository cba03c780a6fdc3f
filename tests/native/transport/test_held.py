"""Memory that half-sent requests hold ends with them."""

from collections.abc import Callable

import pytest

from tests.support.until import until

from .raw import ECHO, Raw, framed
from .served import PROBE, ROW, Served
from .test_refusals import said

Serve = Callable[..., Served]


@pytest.mark.parametrize("path", [ECHO, ROW, PROBE])
def test_a_message_that_stands_still_ends(serve: Serve, path: str) -> None:
    """A message that has begun ends once it has stood still for as long as a handshake may take; its streams go on."""
    served = serve(caller_timeout_s=0.3)
    with Raw(served.port) as raw:
        waiting = raw.call(ROW, framed(b"whole"), ends=False)
        served.take_messages()
        stalled = raw.call(path, framed(b"x" * 1000)[:-1], ends=False)
        raw.over(stalled)
        assert said(stalled) == "slow"
        assert not waiting.is_over
        raw.send(waiting, framed(b"more"))
        assert served.take_messages()[0].content == b"more"
        until(lambda: served.figure("held_bytes") == 0)
