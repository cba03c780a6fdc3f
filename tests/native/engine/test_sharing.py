"""Several threads at one encoder, and runs that are stopped."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.until import until

from .encoders import engine, flat, pair, ragged, sentences_of


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("table_rows", [0, 40, 300])
def test_several_threads_at_once(layers: int, table_rows: int) -> None:
    """Callers on a cold encoder, eight of them, each with helpers, get their own rows, to the bit."""
    made = pair(layers=layers)
    batches = [ragged(25, seed=seed) for seed in range(16)]
    calm = made.native()
    expected = [calm.run(*flat(batch)) for batch in batches]
    encoder = made.native(slots=4, table_rows=table_rows)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            found = pool.map(lambda batch: encoder.run(*flat(batch), threads=2), batches)
            assert all(one.tobytes() == other.tobytes() for one, other in zip(found, expected, strict=True))
    assert encoder.folded_rows <= table_rows


def test_a_run_lets_other_threads_go_on() -> None:
    """The interpreter is free for the whole run: another thread looks at one of some seconds, and ends it."""
    encoder, long = pair(hidden=64).native(), flat([np.zeros(2_000_000, dtype=np.int32)])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: encoder.run(*long))
        until(lambda: encoder.folded_rows > 0 or running.done())
        assert not running.done()
        encoder.stop()
        with pytest.raises(engine.Interrupted):
            running.result()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("threads", [1, 2])
def test_stop_ends_what_runs(layers: int, threads: int) -> None:
    """A run that would take hours raises Interrupted; the next one is as good as any."""
    made = pair(hidden=64, layers=layers)
    encoder, endless = made.native(), flat([np.zeros(20_000_000 // layers, dtype=np.int32)])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: encoder.run(*endless, threads=threads))
        while not running.done():  # a stop before it has begun is none
            encoder.stop()
            time.sleep(0.001)
        with pytest.raises(engine.Interrupted, match="stopped while it ran"):
            running.result()
    sentences = ragged(20)
    assert encoder.run(*flat(sentences)).tobytes() == made.native().run(*flat(sentences)).tobytes()


def test_stop_without_a_run_is_nothing() -> None:
    encoder = pair().native()
    encoder.stop()
    assert encoder.run(*flat(ragged(3))).shape == (3, 64)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_token_is_folded_once(threads: int) -> None:
    """A token is folded once even where a first step meets it in every slot, and both directions at once."""
    encoder = pair().native()
    encoder.run(*flat([np.full(length, 7, dtype=np.int32) for length in range(1, 20)]), threads=threads)
    assert encoder.folded_rows == 1


def test_bytes_grow_with_rows() -> None:
    """Memory in `bytes` is what is really used; a budget that isn't needed isn't counted."""
    encoder = pair(vocabulary=5000).native(table_rows=5000)
    at_first = encoder.bytes
    encoder.run(*flat(sentences_of([100], vocabulary=5000)))
    per_row = 2 * 4 * 32 * 4
    assert 0 < encoder.folded_rows <= 100
    assert encoder.bytes - at_first == encoder.folded_rows * per_row
