"""Results of no run, for tests: figures that meet every aim, and the rows and ceilings that they are made of."""

import bars
import figures
import loads
from results import BF16, FLOAT32, INT8, ONNXRUNTIME, Ceiling, Memory, Results, Row, Schedule, Window, ours

MACHINE = dict.fromkeys(("processor", "cores", "memory", "kernel", "python"), "x")
VERSIONS = dict.fromkeys(("bothends", "onnxruntime", "grpcio", "tokenizers", "mosec"), "1")
SECONDS = {"seconds": 6.0, "warmup_s": 1.5, "rounds": 2}


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
    made = Results(MACHINE | VERSIONS | {"date": "2026-01-01"}, SECONDS, about, FLOAT32)
    made.ceilings = [
        ceiling(ONNXRUNTIME, 3000, 6000, cpu_s=0.32, p50_ms=0.5),
        ceiling(FLOAT32, 7200, 13500, cpu_s=0.15, p50_ms=0.25),
        ceiling(BF16, 13000, 25000, cpu_s=0.08, p50_ms=0.2),
        ceiling(INT8, 21000, 40000, cpu_s=0.05, p50_ms=0.1),
    ]
    made.tokenise_cpu_s_per_1000 = 0.03
    with_native, without = ours(FLOAT32), ours(ONNXRUNTIME)
    made.rows = [
        row(with_native, figures.UNARY_1, p50_ms=0.45, rss_mb=140),
        row(without, figures.UNARY_1),
        row(with_native, figures.UNARY_8, sentences_per_s=3000),
        row(without, figures.UNARY_8, sentences_per_s=2600, p99_ms=5),
        row("mosec 4", figures.UNARY_8, sentences_per_s=2000, p99_ms=8),
        row("mosec 32", figures.UNARY_8, sentences_per_s=1000, p99_ms=1),
        row(with_native, figures.UNARY_32, sentences_per_s=3100, cpu_s_per_1000=0.24),
        row(without, figures.UNARY_32, sentences_per_s=2600, p99_ms=5, efficiency=0.96),
        row("mosec 32", figures.UNARY_32, sentences_per_s=2000, p99_ms=8),
        row(with_native, figures.UNARY_128, sentences_per_s=6000),
        row("mosec 32", figures.UNARY_128, sentences_per_s=4000),
        row(with_native, figures.WIDE_4, sentences_per_s=8800, cpu_s_per_1000=0.16),
        row(without, figures.WIDE_4, sentences_per_s=4400, cpu_s_per_1000=0.4),
        row(ours(BF16), figures.WIDE_4, sentences_per_s=14000),
        row("mosec 1", figures.WIDE_4, sentences_per_s=4000),
    ]
    beyond = {"goodput_per_s": 5900.0, "peak_per_s": 6000.0, "refused_p99_ms": 1.0, "offered_per_s": 12000.0}
    made.rows.append(row(with_native, loads.OVERLOAD.name, **beyond))
    made.windows = [Window(FLOAT32, 1, 1000, 1.0, 1.0), Window(ONNXRUNTIME, 8, 2000, 0.5, 7.0)]
    made.memory = Memory([0, 50_000, 100_000, 1_000_000], [80.0, 90.0, 100.0, 100.5])
    return made


def verdicts(results: Results) -> list[bars.Verdict]:
    """Every bar's verdict, of both groups."""
    return [verdict for group in bars.judge(results).values() for verdict in group]


def figure(results: Results, text: str) -> float | None:
    """The figure beside the one bar of this text."""
    (found,) = (verdict.figure for verdict in verdicts(results) if verdict.bar.text == text)
    return found
