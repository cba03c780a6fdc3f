"""The loads of the comparison."""

from loads import DEADLINE_MS, PEAK, Load, unary, wide

CELLS = (unary(1), unary(8), unary(32), PEAK, wide(4))
"""Closed loops that every server is under."""
LONG_CELLS = (unary(32), wide(4))
"""Closed loops that every server is under with longer sentences too."""
LONG_LISTS = Load("1,000 sentences × 2", batch=1000, concurrency=2)
FED = (unary(32), PEAK, unary(512))
"""Closed loops by which a device that takes no time is fed."""
SHORT = range(10, 21)
"""Tokens of a sentence as people send them; longer ones have more."""
EMPTY = (
    Load("GetModel × 32", batch=0, concurrency=32, path="/bothends.v1.EmbeddingService/GetModel"),
    Load("health Check × 32", batch=0, concurrency=32, path="/grpc.health.v1.Health/Check"),
)
POLITE, GREEDY = (
    Load("one caller, one call at a time", concurrency=1, connections=1),
    Load("a thousand calls at once", concurrency=1000, connections=4),
)
SINGLES, LISTS = (
    Load("8 callers of one sentence", concurrency=8, connections=8),
    Load("two callers of 1,000-sentence lists", batch=1000, concurrency=2, connections=2),
)
PAIRS = ((POLITE, GREEDY), (SINGLES, LISTS))
"""Loads that are measured alone, and each with the one that is measured beside it."""


def storm(percent: int, batch: int) -> Load:
    """A load of so many per cent of the peak, in requests of `batch` sentences."""
    what = "single sentences" if batch == 1 else f"lists of {batch}"
    return Load(f"{percent:,} % in {what}", batch=batch, percent=percent, deadline_ms=DEADLINE_MS)


STORMS = tuple((peak, tuple(storm(percent, peak.batch) for percent in (200, 1000))) for peak in (PEAK, wide(4)))
"""Closed loops whose rate is the peak, and the storms that are measured against each."""
(SINGLE_200, SINGLE_1000), (LISTS_200, LISTS_1000) = (storms for _, storms in STORMS)
MAX_LOAD_CORES = 0.8
"""Cores that the generator may need for what it offers: with more it would be late itself."""
