"""The benchmark's own arithmetic and words. No load is run here."""

from dataclasses import replace
from pathlib import Path

import click
import pytest

import bars
import engines
import figures
import loads
import report
import sentences
from bothends.settings import Settings
from ceiling import CORES, Engines
from results import (
    BF16,
    ENGINES,
    FLOAT32,
    INT8,
    ONNXRUNTIME,
    Ceiling,
    Memory,
    Results,
    Row,
    Schedule,
    Window,
    medians,
    ours,
)

MACHINE = dict.fromkeys(("processor", "cores", "memory", "kernel", "python"), "x")
VERSIONS = dict.fromkeys(("bothends", "onnxruntime", "grpcio", "tokenizers", "mosec"), "1")
SECONDS = {"seconds": 6.0, "warmup_s": 1.5, "rounds": 2}


def row(server: str, load: str, **figures: float) -> Row:
    plain = {"p50_ms": 1.0, "p99_ms": 2.0, "p999_ms": 3.0, "cpu_s_per_1000": 0.5, "rss_mb": 100.0, "load_cores": 0.05}
    zero = dict.fromkeys(("refused", "expired", "failed"), 0.0)
    return Row(server, load, **{"sentences_per_s": 1000.0} | plain | zero | figures)


def ceiling(engine: str, one: float, two: float, *, cpu_s: float, p50_ms: float) -> Ceiling:
    """Of two schedules on each number of threads, the better of which does `one` and `two` sentences/s."""
    schedules = [
        Schedule(32, 1, one, cpu_s - 0.01),
        Schedule(32, 2, two * 0.9, cpu_s - 0.01),
        Schedule(256, 1, one * 0.8, cpu_s),
        Schedule(256, 2, two, cpu_s),
    ]
    return Ceiling(engine, 3, schedules, p50_ms, p50_ms)


@pytest.fixture
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
    return [verdict for group in bars.judge(results).values() for verdict in group]


def figure(results: Results, text: str) -> float | None:
    (found,) = (verdict.figure for verdict in verdicts(results) if verdict.bar.text == text)
    return found


def test_every_python_carries_enough_sentences() -> None:
    """A fresh clone has no corpus; its sentences are prose, distinct, of 3 to 60 words."""
    found = list(sentences.from_documentation())
    assert len(set(found)) > 2000
    assert all(3 <= len(text.split()) <= 60 and text[-1] in ".!?" for text in found)


def test_a_file_of_sentences_is_read_with_and_without_sources(tmp_path: Path) -> None:
    file = tmp_path / "some.tsv"
    file.write_text("a source\tA man sings.\nA man sings.\n\nA woman plays.\n")
    assert sentences.load(file).texts == ["A man sings.", "A woman plays."]


def test_figures_that_reach_every_aim_are_said_to(results: Results) -> None:
    assert {verdict.bar.text: verdict.word for verdict in verdicts(results) if verdict.word != "met, and the aim"} == {}


def test_an_empty_run_judges_nothing() -> None:
    """A figure that wasn't measured is no zero, which would meet half the bars."""
    assert {verdict.word for verdict in verdicts(Results({}, {}, {}))} == {"not measured"}


@pytest.mark.parametrize("bar", [*bars.server_bars(FLOAT32), *bars.NATIVE_BARS], ids=lambda bar: bar.text)
def test_each_bar_is_missed_on_its_wrong_side(bar: bars.Bar) -> None:
    """The aim is beyond the limit; a step to the other side of the limit is a miss."""
    worse = bar.limit + (bar.limit - bar.aim)
    words = [bars.Verdict(bar, figure).word for figure in (worse, bar.limit, bar.aim)]
    assert words == ["missed", "met", "met, and the aim"]


def test_mosecs_best_is_the_one_with_the_most_sentences(results: Results) -> None:
    """And its p99 is that one's, not the least of any."""
    where = f"{figures.UNARY_8}, both on onnxruntime"
    assert figure(results, f"{where}: sentences/s over mosec's best") == pytest.approx(1.3)
    assert figure(results, f"{where}: p99 over mosec's there") == pytest.approx(5 / 8)
    assert figure(results, f"{figures.UNARY_8}, {FLOAT32}: sentences/s over mosec's best") == pytest.approx(1.5)


def test_the_ceiling_is_the_fastest_schedule_of_the_same_engine(results: Results) -> None:
    """Not one that takes less CPU but is slower; microseconds for the difference."""
    over, above = (verdict.figure for verdict in bars.judge(results)["the server around its engine"][:2])
    assert over == pytest.approx(0.16 / 0.15)
    assert above == pytest.approx(90)


def test_threads_are_counted_apart(results: Results) -> None:
    found = [results.ceilings[1].best_on(threads) for threads in (1, 2, 3)]
    assert [best and best.batch for best in found] == [32, 256, None]


def test_the_native_servers_cpu_is_set_beside_onnxruntimes_ceiling(results: Results) -> None:
    text = f"{figures.WIDE_4}, {FLOAT32}: server CPU over onnxruntime's ceiling"
    assert figure(results, text) == pytest.approx(0.16 / 0.32)


@pytest.mark.parametrize(("one", "two"), [(6300, 13500), (7200, 12600)])
def test_an_engine_in_process_is_judged_by_its_worse_number_of_threads(
    results: Results, one: float, two: float
) -> None:
    """Best beside best on one thread, and on two."""
    results.ceilings[1] = ceiling(FLOAT32, one, two, cpu_s=0.15, p50_ms=0.25)
    text = f"in process, {FLOAT32}: sentences/s over onnxruntime's best schedule"
    assert figure(results, text) == pytest.approx(2.1)


def test_memory_over_onnxruntime_is_the_most_of_all_loads(results: Results) -> None:
    """Of loads that both servers were measured under."""
    assert figures.rss_over_onnxruntime(results) == pytest.approx(40)


def test_without_the_native_engine_the_server_is_judged_on_onnxruntime(results: Results) -> None:
    """And the native engine's bars aren't: nothing was measured for them."""
    results.default, results.ceilings = ONNXRUNTIME, results.ceilings[:1]
    results.rows = [row for row in results.rows if "native" not in row.server]
    results.rows.append(row(ours(ONNXRUNTIME), loads.OVERLOAD.name, refused_p99_ms=3.0))
    judged = bars.judge(results)
    assert {verdict.word for verdict in judged["the native engine"]} == {"not measured"}
    assert judged["the server around its engine"][0].figure == pytest.approx(0.4 / 0.32)
    assert figure(results, f"{loads.OVERLOAD.name}, {ONNXRUNTIME}: p99 of refusals") == 3


def test_each_engine_that_is_built_is_measured_by_itself() -> None:
    """On the same sentences, as many turns each, with every schedule on one thread and on all cores."""
    texts = ["A man sings.", "Two women ride their horses along the beach.", "Snow.", "The boats came back early."]
    alone = Engines(texts, sample=4, names=engines.built())
    alone.measure_slice(turns=2)
    measured = alone.ceilings()
    assert tuple(ceiling.engine for ceiling in measured) == engines.built()
    for ceiling in measured:
        assert ceiling.turns == 2
        assert all(schedule.sentences_per_s > 0 for schedule in ceiling.schedules)
        assert {schedule.threads for schedule in ceiling.schedules} == {1, CORES}


@pytest.mark.parametrize("name", ENGINES)
def test_a_server_is_told_its_engine_by_flags_that_it_has(name: str) -> None:
    flags = iter(engines.flags(name))
    told = {flag.removeprefix("--"): value for flag, value in zip(flags, flags, strict=True)}
    settings = Settings(**told)
    assert settings.engine == name.split()[0]
    assert settings.precision == (name.split()[1] if " " in name else "float32")


def test_memory_grows_from_a_tenth_of_the_way() -> None:
    assert Memory([0, 90, 110, 1000], [50.0, 90.0, 100.0, 104.0]).growth == pytest.approx(0.04)


def test_a_row_is_the_median_of_its_rounds() -> None:
    """Each figure by itself, of those that are known."""
    first = row(ours(FLOAT32), figures.UNARY_1, sentences_per_s=10)
    rounds = [first, replace(first, sentences_per_s=40, efficiency=0.5), replace(first, sentences_per_s=20)]
    (middle,) = medians([*rounds, row("other", figures.UNARY_1)])[:1]
    assert (middle.sentences_per_s, middle.efficiency) == (20, 0.5)


def test_results_come_back_from_their_json(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "results.json")
    assert Results.open(tmp_path / "results.json") == results


def test_the_document_changes_between_its_markers_alone(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    text = report.markdown(results, charts=[("images/some.png", "something")])
    for _ in range(2):  # a second time changes nothing more
        report.replace_between_markers(file, text)
        written = file.read_text()
        assert written.startswith(f"before\n{report.BEGIN}\n")
        assert written.endswith(f"\n{report.END}\nafter\n")
        assert written.count("![something](images/some.png)") == 1
        assert "old" not in written


def test_a_document_without_markers_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"{report.END} {report.BEGIN}")
    with pytest.raises(click.ClickException, match="bench:begin"):
        report.replace_between_markers(file, "text")
    assert file.read_text() == f"{report.END} {report.BEGIN}"


def test_markdown_tables_have_as_many_cells_as_headings(results: Results) -> None:
    for table in report.tables(results, brief=True):
        assert {len(cells) for cells in table.rows if cells} == {len(table.headings)}


def test_charts_are_drawn(results: Results, tmp_path: Path) -> None:
    """Even of a run that lacks most rows."""
    charts = pytest.importorskip("charts", exc_type=ModuleNotFoundError)
    assert all(file.stat().st_size > 10_000 for file in charts.draw(results, tmp_path))
