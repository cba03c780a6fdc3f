"""Reads the few numbers that the web page shows from the metrics. It keeps no state: the page computes differences."""

import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from prometheus_client import CollectorRegistry

from ....observe.model_metrics import SECONDS


def live(registry: CollectorRegistry, embedding: Collection[str]) -> dict[str, Any]:
    """Collect counts since the start from `registry`, as JSON values: sentences, requests by status code and by
    latency, and what waits now.

    `embedding` names the methods, as metrics label them, whose latency is shown; faster methods would make it look
    shorter, and streams longer.
    """
    codes, at_most, sums = Counter[str](), Counter[float](), Counter[str]()
    for sample in (sample for family in registry.collect() for sample in family.samples):
        if sample.name == "bothends_requests_total":
            codes[sample.labels["code"]] += int(sample.value)
        elif sample.name == "bothends_request_seconds_bucket" and sample.labels["method"] in embedding:
            at_most[float(sample.labels["le"])] += int(sample.value)
        elif sample.labels.keys() <= {"model"}:
            sums[sample.name] += int(sample.value)
    counts = [at_most[bound] for bound in (*SECONDS, float("inf"))]
    return {
        "time_s": time.monotonic(),
        "sentences": sums["bothends_sentence_tokens_count"],
        "tokens": sums["bothends_sentence_tokens_sum"],
        "queue": sums["bothends_queue_sentences"],
        "requests": {code: count for code, count in codes.items() if count},
        "latency": {
            "bounds_s": SECONDS,
            "counts": [count - below for count, below in zip(counts, [0, *counts], strict=False)],
        },
    }
