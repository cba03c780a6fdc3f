"""The table of what a start takes says what met its bar."""

import pytest

import start


@pytest.mark.parametrize(
    ("figure", "row"),
    [
        (start.Figure("import", 79.6, "ms", 80), "| import | 80 ms | ≤ 80 ms | met |"),
        (start.Figure("answer", 1.234, "s", 1.2), "| answer | 1.23 s | ≤ 1.2 s | **missed** |"),
        (start.Figure("memory", 118.2, "MB"), "| memory | 118 MB |  |  |"),
    ],
)
def test_a_row_says_whether_its_bar_is_met(figure: start.Figure, row: str) -> None:
    assert figure.cells() == row


def test_an_import_is_timed_in_milliseconds() -> None:
    """What sleeps for a hundredth of a second takes ten of them at least."""
    assert start.import_ms("time.sleep(0.01)") >= 10
