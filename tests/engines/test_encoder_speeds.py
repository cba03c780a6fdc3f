"""What an encoder costs that the native engine doesn't compute is told by the measured size that is nearest."""

import pytest

from bothends.engines.encoder_speeds import EncoderSpeeds, MeasuredSize
from bothends.model.architecture import EncoderConfig

SPEEDS = EncoderSpeeds(
    "a day, a processor", (MeasuredSize(256, 1, 2.0), MeasuredSize(2048, 1, 1.6), MeasuredSize(512, 5, 1.25))
)


def config(**sizes: object) -> EncoderConfig:
    return EncoderConfig.model_validate({"vocabulary_size": 9, "embedding_size": 3, "layers": 1} | sizes)


@pytest.mark.parametrize(
    ("sizes", "nearest"),
    [
        ({"hidden_size": 16}, 0),
        ({"hidden_size": 300}, 0),
        ({"hidden_size": 1500}, 1),
        ({"hidden_size": 4, "hidden_sizes": (2000, 4), "layers": 2}, 1),
        ({"hidden_size": 512, "layers": 4}, 2),
    ],
    ids=str,
)
def test_the_nearest_size_is_by_ratio(sizes: dict[str, object], nearest: int) -> None:
    assert SPEEDS.nearest(config(**sizes)) is SPEEDS.sizes[nearest]


def test_the_cost_is_said_as_a_share_with_what_was_measured() -> None:
    assert SPEEDS.computed(config(hidden_size=512, layers=5)) == (
        "about 80 % of the sentences that the native engine would (measured at 512 units, 5 layers: 1.2 × slower)"
    )


def test_the_record_is_whole() -> None:
    """A fallback reads it; every size was faster by the native engine, or nobody would be told to want it."""
    record = EncoderSpeeds.of_record()
    assert {(size.hidden_size, size.layers) for size in record.sizes} >= {(256, 1), (512, 1), (2048, 1), (512, 5)}
    assert all(size.times > 1 for size in record.sizes)
    assert "measured at 2048 units, 1 layer" in record.computed(config(hidden_size=2048))
