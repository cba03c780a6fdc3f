"""Sentences a day to cores, machines, memory and money: arithmetic on the rates of record and some assumptions.

Measures and prints nothing.
"""

import math
from dataclasses import dataclass

from figures import WIDE_4
from loads import PEAK
from results import BF16, FLOAT32, INT8, Results, ours

DAY_S = 86_400
DAYS = (10**6, 10**9, 10**11)
"""Numbers of sentences a day that are calculated."""
TRAFFIC = {"one by one": PEAK.name, "lists of 32": WIDE_4}
"""Kinds of traffic, and the load of record that each is like."""
LEAST = 2
"""The fewest replicas of a deployment: one may fail, or be replaced."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Assumptions that can't be measured here: yours differ."""

    peak: float = 3.0
    """The busiest hour's rate over the day's mean."""
    used: float = 0.6
    """Share of the cores that the peak may take."""
    vcpus: int = 16
    """vCPUs of one machine."""
    price: float = 0.04
    """Price of one vCPU for an hour, in US dollars."""


USUAL = Assumptions()
"""The assumptions that hold unless flags say otherwise."""


@dataclass(frozen=True, slots=True)
class Need:
    """Cores, machines, memory and money that so many sentences a day need."""

    sentences: int
    traffic: str
    engine: str
    mean_per_s: float
    peak_per_s: float
    cores: int
    machines: int
    memory_gb: float
    """Resident memory with a replica a core."""
    dollars_a_day: float
    """Cost of a day with as many cores all day as at the peak."""


def need(sentences: int, traffic: str, engine: str, results: Results, assumed: Assumptions) -> Need:
    """Calculate by the rate of record: what both cores did together, half of it a core. Raises KeyError where it isn't
    known.
    """
    row = results.row(ours(engine), TRAFFIC[traffic])
    if row is None:
        raise KeyError(f"{engine} was not measured at {TRAFFIC[traffic]}")
    per_core = row.sentences_per_s / int(results.machine["cores"])
    mean = sentences / DAY_S
    cores = max(LEAST, math.ceil(assumed.peak * mean / (per_core * assumed.used)))
    return Need(
        sentences,
        traffic,
        engine,
        mean,
        assumed.peak * mean,
        cores,
        math.ceil(cores / assumed.vcpus),
        cores * row.rss_mb / 1000,
        cores * 24 * assumed.price,
    )


def needs(results: Results, assumed: Assumptions) -> list[Need]:
    """Return the needs of every day, traffic and precision."""
    engines = (FLOAT32, BF16, INT8)
    return [need(day, how, engine, results, assumed) for day in DAYS for how in TRAFFIC for engine in engines]
