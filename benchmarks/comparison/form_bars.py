"""Bars on the forms in which callers send sentences: HTTP, options, keys and lists; and on what a device is fed."""

from functools import partial

from bars import Bar
from loads import PEAK, unary, wide
from results import FLOAT32, IDLE, INT8

from .forms import BASE64, FLOAT, OPTIONS, SHARE, SINGLE, Form, form_of
from .loads import LONG_LISTS
from .results import ComparisonResults, best, named

_OVER_GRPC = {FLOAT32: (0.6, 0.8), INT8: (0.5, 0.7)}
"""Limit and aim of HTTP over gRPC, by engine."""
_OVER_MOSEC = {unary(1): (1.8, 2.2), unary(8): (2.0, 3.0), unary(32): (2.5, 4.0), PEAK: (2.0, 2.6)}
_FED_PER_S = {unary(32): (40_000, 60_000), PEAK: (100_000, 140_000)}
"""Limit and aim of the sentences a second that a device is to be fed, on two cores."""


def _rate(engine: str, form: Form | None, load: str, found: ComparisonResults) -> float | None:
    """Sentences a second of our server in that form; None is plain Embed over gRPC."""
    row = named(found.rows, form_of(found.judged(engine), form), load)
    return row.sentences_per_s if row else None


def _over(engine: str, form: Form, other: Form | None, load: str, found: ComparisonResults) -> float | None:
    """Ratio of the sentences a second of two forms, at the same load."""
    mine, theirs = _rate(engine, form, load, found), _rate(engine, other, load, found)
    return mine / theirs if mine and theirs else None


def _over_mosec(load: str, found: ComparisonResults) -> float | None:
    mine, theirs = _rate(FLOAT32, BASE64, load, found), best(found.rows, load)
    return mine / theirs.sentences_per_s if mine and theirs else None


def _lists(engine: str, found: ComparisonResults) -> float | None:
    """Ratio of the sentences a second of lists to those of as many callers of one sentence."""
    mine, single = _rate(engine, None, wide(4).name, found), _rate(engine, None, PEAK.name, found)
    return mine / single if mine and single else None


def _long_lists(found: ComparisonResults) -> float | None:
    """Ratio of the sentences a second of long lists to those of the engine by itself."""
    mine, alone = _rate(INT8, None, LONG_LISTS.name, found), next(iter(found.alone), None)
    return mine / alone.sentences_per_s if mine and alone else None


def _fed(load: str, found: ComparisonResults) -> float | None:
    row = named(found.rows, IDLE, load)
    return row.sentences_per_s if row else None


def _cpu(found: ComparisonResults) -> float | None:
    """Microseconds of the server's CPU a sentence."""
    row = named(found.rows, form_of(found.judged(INT8), BASE64), unary(32).name)
    return 1000 * row.cpu_s_per_1000 if row and row.cpu_s_per_1000 is not None else None


def over_plain() -> list[Bar]:
    """Bars on the rate of each form beside plain Embed, or of a float answer beside base64, at the same load."""
    base64 = [
        Bar(f"{load.name}, {engine}: {BASE64.name} over plain gRPC", "×", *_OVER_GRPC[engine],
            partial(_over, engine, BASE64, None, load.name))
        for engine in BASE64.engines for load in SINGLE
    ]  # fmt: skip
    text = [
        Bar(f"{load.name}, {engine}: {FLOAT.name} over base64", "×", 0.6, 0.8,
            partial(_over, engine, FLOAT, BASE64, load.name))
        for engine in FLOAT.engines for load in SINGLE
    ]  # fmt: skip
    options = [
        Bar(f"{load.name}, {INT8}: gRPC with {form.name} over plain gRPC", "×", 0.9, 0.97,
            partial(_over, INT8, form, None, load.name))
        for form in (*OPTIONS, SHARE) for load in form.loads
    ]  # fmt: skip
    return [*base64, *text, *options]


def others() -> list[Bar]:
    """Bars on HTTP beside mosec, on its cost, on lists, and on how quickly a device's host works."""
    lists = f"{wide(4).name} over {PEAK.name}"
    return [
        *(
            Bar(f"{load.name}, {FLOAT32}: {BASE64.name} over mosec's best", "×", *limits,
                partial(_over_mosec, load.name))
            for load, limits in _OVER_MOSEC.items()
        ),
        Bar(f"{unary(32).name}, {INT8}: {BASE64.name}, server CPU a sentence", "µs", 75, 60, _cpu),
        *(
            Bar(f"{lists}, {engine}: sentences/s", "×", 1.0, 1.2, partial(_lists, engine))
            for engine in (FLOAT32, INT8)
        ),
        Bar(f"{LONG_LISTS.name}, {INT8}: sentences/s over the engine's by itself", "×", 0.8, 0.9, _long_lists),
        *(
            Bar(f"{load.name}, a device that takes no time: sentences/s", "/s", *limits, partial(_fed, load.name))
            for load, limits in _FED_PER_S.items()
        ),
    ]  # fmt: skip
