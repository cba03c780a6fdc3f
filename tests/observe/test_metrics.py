"""Metrics as Prometheus sees them: every series from the start, with buckets that resolve what users feel."""

import itertools
import re
import subprocess
import sys
import time
from typing import get_args

from prometheus_client import generate_latest

from bothends.batching.request import Depth
from bothends.engines.contract import BatchRecord
from bothends.errors import Refusal
from bothends.observe.metrics import CODES, Metrics
from bothends.observe.model_metrics import PHASES, SECONDS


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_everything_is_present_at_zero() -> None:
    """A rate over a counter that appears with its first error misses that error."""
    metrics = Metrics()
    metrics.register("Embed")
    metrics.of("old")
    page = text(metrics)
    for code in CODES:
        assert f'bothends_requests_total{{code="{code}",method="Embed"}} 0.0' in page
    assert 'bothends_request_seconds_count{method="Embed"} 0.0' in page
    for phase in PHASES:
        assert f'bothends_phase_seconds_count{{model="old",phase="{phase}"}} 0.0' in page
    for reason in get_args(Refusal):
        assert f'bothends_refused_requests_total{{reason="{reason}"}} 0.0' in page
    assert 'bothends_over_quota_requests_total{method="Embed"} 0.0' in page
    assert 'bothends_truncated_sentences_total{model="old"} 0.0' in page
    assert 'bothends_selftest_success{model="old"} 0.0' in page


def test_what_is_over_a_quota_is_told_apart() -> None:
    """By method, whoever refused it, and no other refusal; messages of a stream are no requests."""
    metrics = Metrics()
    metrics.register("Embed")
    metrics.register("EmbedStream")
    metrics.answered("Embed", "RESOURCE_EXHAUSTED", 0.1, refusal="quota")
    metrics.answered("Embed", "RESOURCE_EXHAUSTED", 0.1, refusal="full")
    metrics.answered_all("Embed", "RESOURCE_EXHAUSTED", [0.1, 0.2], path=None, refusal="quota")
    metrics.messages("EmbedStream", "python", 5, refusal="quota")
    page = text(metrics)
    assert 'bothends_over_quota_requests_total{method="Embed"} 3.0' in page
    assert 'bothends_over_quota_requests_total{method="EmbedStream"} 0.0' in page
    assert 'bothends_refused_requests_total{reason="quota"} 8.0' in page


def test_latency_buckets_resolve_50_us_to_10_s() -> None:
    assert (SECONDS[0], SECONDS[-1]) == (0.00005, 10.0)
    assert all(later <= 2.51 * earlier for earlier, later in itertools.pairwise(SECONDS))


def test_a_batch_moves_its_histograms() -> None:
    """Rows, padded tokens, efficiency, engine time and each sentence's wait."""
    metrics = Metrics()
    metrics.of("old").batch_ran(BatchRecord(rows=2, tokens=6, padded_tokens=8, engine_s=0.002, queue_s=[0.1, 0.3]))
    page = text(metrics)
    for line in (
        'bothends_batch_rows_sum{model="old"} 2.0',
        'bothends_batch_tokens_sum{model="old"} 8.0',
        'bothends_batch_efficiency_ratio_sum{model="old"} 0.75',
        'bothends_phase_seconds_sum{model="old",phase="engine"} 0.002',
        'bothends_phase_seconds_sum{model="old",phase="queue"} 0.4',
        'bothends_phase_seconds_count{model="old",phase="queue"} 2.0',
    ):
        assert line in page


def test_the_queue_is_asked_at_each_scrape() -> None:
    metrics = Metrics()
    waiting = [Depth(2, 3, 40)]
    metrics.watch_queue(lambda: waiting[0]._asdict(), tokens_limit=1000, workers=2)
    page = text(metrics)
    for line in ("queue_requests 2.0", "queue_sentences 3.0", "queue_tokens 40.0", "queue_tokens_limit 1000.0"):
        assert f"bothends_{line}" in page
    assert "bothends_engine_workers 2.0" in page
    waiting[0] = Depth(0, 0, 0)
    assert "bothends_queue_tokens 0.0" in text(metrics)


def test_a_self_test_says_when_how_and_how_far_off() -> None:
    metrics = Metrics()
    before = time.time()
    metrics.of("old").tested(success=True, difference=2e-7)
    page = text(metrics)
    assert 'bothends_selftest_success{model="old"} 1.0' in page
    assert 'bothends_selftest_difference{model="old"} 2e-07' in page
    (at,) = re.findall(r'^bothends_selftest_timestamp_seconds{model="old"} (\S+)', page, re.MULTILINE)
    assert before <= float(at) <= time.time()
    metrics.of("old").tested(success=False, difference=1.0)
    assert 'bothends_selftest_success{model="old"} 0.0' in text(metrics)


_HOST = """
from prometheus_client import CollectorRegistry, Counter, generate_latest
import bothends
bothends.Encoder
from bothends.observe.metrics import Metrics

def created(registry):
    return "_created" in generate_latest(registry).decode()

theirs = CollectorRegistry()
Counter("theirs", "Something of the host's.", registry=theirs)
print(created(theirs), created(Metrics().registry))
"""


def test_a_host_applications_metrics_stay_as_they_are() -> None:
    """A program that imports `bothends.Encoder` still has its counters' time stamps; ours have none."""
    found = subprocess.run([sys.executable, "-c", _HOST], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False"]


def test_two_servers_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.register("Embed")
    second.register("Embed")
    first.answered("Embed", "OK", 0.1)
    assert 'bothends_requests_total{code="OK",method="Embed"} 0.0' in text(second)
