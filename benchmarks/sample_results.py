"""Results of no run, for tests: ceilings that meet every aim, and rows."""

import bars
from results import BF16, FLOAT32, INT8, ONNXRUNTIME, Ceiling, Results, Row, Schedule

MACHINE = dict.fromkeys(("processor", "cores", "memory", "kernel", "python"), "x")
VERSIONS = dict.fromkeys(("bothends", "onnxruntime"), "1")
AMOUNTS = {"rounds": 2, "turns": 3, "sample": 2000}


def row(server: str, load: str, **known: float) -> Row:
    """A row with these figures, and plausible ones for the rest."""
    plain = {"p50_ms": 1.0, "p99_ms": 2.0, "p999_ms": 3.0, "cpu_s_per_1000": 0.5, "rss_mb": 100.0, "load_cores": 0.05}
    zero = dict.fromkeys(("refused", "expired", "failed"), 0.0)
    return Row(server, load, **{"sentences_per_s": 1000.0} | plain | zero | known)


def ceiling(engine: str, one: float, two: float, *, cpu_s: float, p50_ms: float) -> Ceiling:
    """A ceiling of two schedules on each number of threads, the better of which does `one` and `two` sentences/s."""
    schedules = [
        Schedule(32, 1, one, cpu_s - 0.01),
        Schedule(32, 2, two * 0.9, cpu_s - 0.01),
        Schedule(256, 1, one * 0.8, cpu_s),
        Schedule(256, 2, two, cpu_s),
    ]
    return Ceiling(engine, 3, schedules, p50_ms, p50_ms)


def results() -> Results:
    """Figures that meet every aim, with the native engine."""
    about = {"source": "somewhere", "count": 2000, "mean_tokens": 15.0}
    made = Results(MACHINE | VERSIONS | {"date": "2026-01-01"}, AMOUNTS, about)
    made.ceilings = [
        ceiling(ONNXRUNTIME, 3000, 6000, cpu_s=0.32, p50_ms=0.5),
        ceiling(FLOAT32, 7200, 13500, cpu_s=0.15, p50_ms=0.25),
        ceiling(BF16, 13000, 25000, cpu_s=0.08, p50_ms=0.2),
        ceiling(INT8, 21000, 40000, cpu_s=0.05, p50_ms=0.1),
    ]
    made.tokenise_cpu_s_per_1000 = 0.03
    return made


def verdicts(results: Results) -> list[bars.Verdict]:
    """Every bar's verdict."""
    return [verdict for group in bars.judge(results).values() for verdict in group]


def figure(results: Results, text: str) -> float | None:
    """The figure beside the one bar of this text."""
    (found,) = (verdict.figure for verdict in verdicts(results) if verdict.bar.text == text)
    return found
