"""Encoders of all kinds are measured by what can compute them, and what was measured is shown as it is."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch isn't installed (make test-full)")

from rich.console import Console

from bothends.engines import native
from bothends.engines.encoder_speeds import EncoderSpeeds, MeasuredSize
from progress import Show
from results import FLOAT32, INT8, ONNXRUNTIME

from . import chart, page, record, shapes
from .measure import measure
from .results import PYTORCH, TOKENS, EncoderResults, EncoderRow, Measured

MACHINE = {"date": "a day", "processor": "a processor"}


def row(name: str, **rates: float) -> EncoderRow:
    """A row in which each engine has a rate, and one sentence takes 800 ms divided by it."""
    return EncoderRow(
        name,
        256,
        1,
        {
            engine.replace("_", " "): {tokens: Measured(rate, 800 / rate, 400 / rate, 0.5) for tokens in TOKENS}
            for engine, rate in rates.items()
        },
    )


RESULTS = EncoderResults(
    MACHINE,
    5,
    [
        row("256 × 1", native_float32=400, native_int8=1600, onnxruntime=200, PyTorch=50),
        row(shapes.LASER, native_float32=300, native_int8=1000, onnxruntime=200, PyTorch=50),
        row("512 × 1, attention of 4 hops", onnxruntime=200, PyTorch=50),
    ],
)


def test_names_and_public_shapes() -> None:
    """InferSent's and LASER's sizes are those of their papers' code."""
    found = shapes.shapes()
    assert set(shapes.QUICK) < set(found)
    assert len(found) == 21
    infersent, laser = found[shapes.INFERSENT], found[shapes.LASER]
    assert (infersent.dimension, infersent.input_size, infersent.pooling) == (4096, 300, "max")
    assert (laser.dimension, laser.input_size, laser.layers, laser.pooling) == (1024, 320, 5, "max")


@pytest.mark.parametrize(
    ("name", "per_token"),
    [
        ("256 × 1", 2 * 2 * 4 * 256 * 256),
        ("512 × 2", 2 * 2 * 4 * 512 * (512 + 512 + 1024)),
        ("GRU 512 × 1", 2 * 2 * 3 * 512 * 512),
        ("512 over 256 units", 2 * 2 * 4 * (256 * 256 + 512 * (512 + 512))),
        ("512 × 1, projected to 256", 2 * 2 * (4 * 512 * 256 + 512 * 256)),
    ],
)
def test_what_a_token_takes(name: str, per_token: int) -> None:
    assert shapes.operations(shapes.shapes()[name], 15) == 15 * per_token


def test_what_was_measured_comes_back(tmp_path: Path) -> None:
    RESULTS.save(tmp_path / "results.json")
    assert EncoderResults.open(tmp_path / "results.json") == RESULTS


def test_tables_have_dashes_where_an_engine_computes_nothing() -> None:
    said = page.markdown(RESULTS)
    assert "| 256 × 1 | 400 | – | 1,600 | 200 | 50.0 | 2.00 × | 8.00 × | 50 – 50 |" in said
    assert "| 512 × 1, attention of 4 hops | – | – | – | 200 | 50.0 | – | – | – – – |" in said
    assert "| 256 × 1 | 2.00 | – | 0.50 | 4.00 | 16.00 | 2.00 × | 1.00 |" in said
    assert page.headline(RESULTS) == ("Times onnxruntime's sentences: 1.5 to 2.0 in float32, 5.0 to 8.0 in int8")
    assert page.sentence(RESULTS, [shapes.LASER]) == (
        "Times onnxruntime's sentences on one core: LASER 1.5 (5.0 in int8)."
    )


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    assert chart.draw(RESULTS, tmp_path).read_bytes().startswith(b"\x89PNG")


def test_what_the_service_says_is_of_sizes_read_by_their_final_states() -> None:
    found = record.speeds(RESULTS)
    assert found == EncoderSpeeds("a day, a processor", (MeasuredSize(256, 1, 2.0),))


@pytest.mark.slow
def test_every_engine_that_can_is_measured() -> None:
    """The native engine's precisions where it computes the encoder, onnxruntime and PyTorch always."""
    names = ("256 × 1", "512 × 1, attention of 4 hops")
    with Show(Console(quiet=True), total_s=1) as show:
        results = measure(names, turns=1, show=show)
    for found, name in zip(results.rows, names, strict=True):
        computed = native.is_built() and native.lacks(shapes.shapes()[name]) is None
        assert {ONNXRUNTIME, PYTORCH} <= set(found.engines)
        assert ({FLOAT32, INT8} <= set(found.engines)) == computed
        for each in found.engines.values():
            assert all(figures.sentences_per_s > 0 and figures.one_ms > 0 for figures in each.values())
