"""A real server under load before a real Prometheus with these rules: every panel shows something."""

import math
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml

from bothends import Client, SentenceError
from tests.support.bundles import WORDS
from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.serving import Running
from tests.support.until import TIMEOUT_S, eventually
from tests.support.watching import (
    BY_THE_NATIVE_TRANSPORT,
    ON_A_GPU,
    Prometheus,
    Query,
    exported_in,
    metrics_in,
    queries,
)

from .listening import listening

pytestmark = pytest.mark.timing  # of a busy machine Prometheus misses what panels show

LOAD_S = 20.0
CALLERS = 3


@dataclass
class Watched:
    """A server's Prometheus, and its last page of metrics."""

    prometheus: Prometheus
    page: str


def call(target: str, seed: int, stop: threading.Event) -> None:
    """Embed lists of unlike sentences until `stop`; then one that is read in part, and one that is refused."""
    random = np.random.default_rng(seed)
    with Client(target) as client:
        while not stop.is_set():
            lengths = random.integers(4, 40, size=16)
            client.embed([" ".join(random.choice(WORDS, size=length)) for length in lengths])
        client.embed(["dragons " * 400])
        with pytest.raises(SentenceError):
            client.encode(["dragon" * 20_000])


def configure(folder: Path, target: str) -> Path:
    """Write the repository's configuration and rules, with another target, and an interval of a second throughout."""
    (folder / "rules").mkdir()
    for file in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        (folder / "rules" / file.name).write_text(re.sub(r"^    interval: \w+$", "", text, flags=re.MULTILINE))
    configuration = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = [job for job in configuration["scrape_configs"] if job["job_name"] == "bothends"]
    job = {name: value for name, value in job.items() if not name.endswith("sd_configs")}
    configuration |= {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules" / "*.yml")],
        "alerting": {},
        "scrape_configs": [job | {"static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    return folder / "prometheus.yml"


@contextmanager
def watching(prometheus: str, folder: Path, target: str) -> Iterator[httpx.Client]:
    """Run a Prometheus on a free port that scrapes `target`."""
    flags = [f"--config.file={configure(folder, target)}", f"--storage.tsdb.path={folder / 'data'}"]
    with listening([prometheus, *flags], folder) as http:
        yield http


def until(watched: Watched, expression: str, value: float) -> None:
    """Wait until an expression has a value."""
    found: list[float] = []

    def has_value() -> bool:
        found[:] = watched.prometheus.ask(expression)
        return found == [value]

    assert eventually(has_value, within_s=TIMEOUT_S, every_s=0.1), f"{expression} is {found}, not {value}"


@pytest.fixture(scope="module")
def watched(prometheus: str, shared: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server, watched from before its first call until after its last."""
    target = shared.http.removeprefix("http://")
    with watching(prometheus, tmp_path_factory.mktemp("prometheus"), target) as http:
        watched = Watched(Prometheus(http, "15s"), "")
        until(watched, 'count_over_time(up{job="bothends"}[1m]) > bool 2', 1)
        stop = threading.Event()
        with ThreadPoolExecutor(CALLERS) as pool:
            calls = [pool.submit(call, shared.target, seed, stop) for seed in range(CALLERS)]
            stop.wait(LOAD_S)
            stop.set()
        for each in calls:
            each.result()
        until(watched, 'sum(bothends_requests_total{method="Embed", code="INVALID_ARGUMENT"})', CALLERS)
        until(watched, "count_over_time(bothends:slo_budget_left:ratio[1m]) > bool 2", 1)
        watched.page = httpx.get(f"{shared.http}/metrics").text
        yield watched


@pytest.mark.parametrize("query", queries(), ids=str)
def test_a_panels_query_finds_something(watched: Watched, query: Query) -> None:
    """Queries find numbers, with every variable found as the dashboard says; none for a GPU's, or another
    transport's.
    """
    values = watched.prometheus.answer(query)
    if query.panel == "annotation":
        return  # a mark for each alert that fires, if one does
    if missing := metrics_in(query.expression) - exported_in(watched.page):
        assert missing <= ON_A_GPU | BY_THE_NATIVE_TRANSPORT
        assert not values
        return
    assert values
    assert any(math.isfinite(value) for value in values), values


def test_requests_by_code_shows_only_codes_that_occurred(watched: Watched) -> None:
    """Here two, OK and INVALID_ARGUMENT, so that the legend isn't full of codes whose line is zero."""
    (query,) = [query for query in queries() if query.panel == "Requests by code"]
    assert len(watched.prometheus.answer(query)) == 2


def test_every_rule_is_evaluated(watched: Watched) -> None:
    """Rules don't fail on real series."""
    groups = watched.prometheus.http.get("/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 30
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


def test_prometheus_finds_nothing_to_mend_in_the_metrics(watched: Watched, promtool: str) -> None:
    """Names, units and help are as Prometheus' own checker wants them."""
    checked = ran(promtool, "check", "metrics", input=watched.page)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "bothends_requests_total" in watched.page
