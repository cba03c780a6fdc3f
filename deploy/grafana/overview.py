"""The overview, one screen: is it healthy, is it fast, where does the time go, how full is it, what does it refuse, are
its vectors right. What panels look like is in panels.py.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import (
    BAD,
    BLUE,
    GOOD,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WARN,
    YELLOW,
    Panel,
    buckets,
    levels,
    lines,
    mean,
    number,
    pick,
    quantile,
    quantiles,
    rate,
)

_EMBED = 'method=~"(tei.v1.Embed/)?Embed|ModelInfer|POST /(.*embed.*)?"'
_ENGINE = 'phase="engine"'
_FILL = f"max({pick('bothends_queue_tokens')} / {pick('bothends_queue_tokens_limit')})"
_FAILED = 'code!~"OK|INVALID_ARGUMENT|NOT_FOUND|UNAUTHENTICATED|CANCELLED"'


def page() -> Dashboard:
    """Return the empty page."""
    return (
        Dashboard("bothends: overview")
        .uid("bothends-overview")
        .description("Is it healthy, fast, full, right? docs/runbook.md says what to do about each alert.")
    )


_NOW: list[Panel] = [
    number(
        "Alerts firing",
        "How many of bothends' alerts fire now. Not 0: open Alerting, take the worst first, and read its section in "
        "docs/runbook.md.",
        'count(ALERTS{alertname=~"Bothends.*", alertstate="firing"}) or vector(0)',
        unit="none",
        thresholds=levels(GOOD, (1, BAD)),
    ),
    number(
        "Instances up",
        "Share of all instances that Prometheus can read, whatever is chosen above. Below 100 %: see BothendsDown in "
        "docs/runbook.md.",
        'avg(up{job="bothends"})',
        unit="percentunit",
        thresholds=levels(BAD, (1, GOOD)),
    ),
    number(
        "Vectors right",
        "Whether the last self-test found PyTorch's vectors, on the worst instance. WRONG: take that instance out of "
        "service; see BothendsSelfTestFailed in docs/runbook.md.",
        f"min({pick('bothends_selftest_success')})",
        unit="none",
        thresholds=levels(BAD, (1, GOOD)),
        words={"0": "WRONG", "1": "right"},
    ),
    number(
        "Budget left",
        "What is left of the error budget of 30 days: 1 % of requests for embeddings may fail or take longer than "
        "100 ms. Falling: see Failed and Percentiles for which of the two. Below 0 the promise is broken.",
        'min(bothends:slo_budget_left:ratio{job="bothends"})',
        unit="percentunit",
        thresholds=levels(BAD, (0, WARN), (0.25, GOOD)),
    ),
    number(
        "Requests",
        "Requests answered a second, with whatever code. 0 where callers are expected: they can't reach it; look at "
        "Instances up and the way between.",
        f"sum({rate('bothends_requests_total')})",
        unit="reqps",
        thresholds=levels(BLUE),
    ),
    number(
        "Failed",
        "Share of requests that failed through no fault of their callers. Over 1 % breaks the promise: Requests by "
        "code says how they fail.",
        f"sum({rate('bothends_requests_total', _FAILED)}) / sum({rate('bothends_requests_total')})",
        unit="percentunit",
        thresholds=levels(GOOD, (0.001, WARN), (0.01, BAD)),
    ),
    number(
        "99th percentile",
        "Time that one request in a hundred exceeds. Over 100 ms it spends the error budget: Where the time "
        "goes says in which phase.",
        quantile(0.99, "bothends_request_seconds", _EMBED),
        unit="s",
        thresholds=levels(GOOD, (0.1, WARN), (0.25, BAD)),
    ),
    number(
        "Queue fill",
        "How full the fullest queue is; at 100 % requests are refused. Over 50 % for long: more load than the engine "
        "takes, add instances.",
        _FILL,
        unit="percentunit",
        thresholds=levels(GOOD, (0.5, WARN), (0.8, BAD)),
    ),
]

_SPEED: list[Panel] = [
    buckets(
        "Latency",
        "How long requests for embeddings take, from arrival to answer: the brighter, the more. A second band above "
        "the first is a kind of request, or an instance, of its own: choose instances one by one.",
        "bothends_request_seconds",
        _EMBED,
        unit="s",
    ),
    lines(
        "Percentiles",
        "Time that half, one in ten, in a hundred and in a thousand requests exceed; the dashed line is the "
        "promise. If all rise, the engine is full or slow; if only the upper ones, some requests are long.",
        quantiles("bothends_request_seconds", _EMBED, shares=(0.5, 0.9, 0.99, 0.999)),
        unit="s",
        colors={"p50": SKY, "p90": BLUE, "p99": ORANGE, "p99.9": VERMILION},
        limits=levels("transparent", (0.1, GREY)),
    ),
    lines(
        "Where the time goes",
        "Mean time in each phase: tokenise and serialise a request, queue a sentence, engine a batch. Much queue: more "
        "load than the engine takes. Much engine: long sentences or a slow machine. Else: very long lists.",
        {"{{phase}}": mean("bothends_phase_seconds", by="phase")},
        unit="s",
        colors={"tokenise": SKY, "queue": ORANGE, "engine": BLUE, "serialise": PURPLE},
        stacked=True,
    ),
]

_LOAD: list[Panel] = [
    lines(
        "Requests by code",
        "Requests answered a second, by gRPC status. INVALID_ARGUMENT is the callers' to mend; INTERNAL is ours: read "
        "the log. RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED mean too much load.",
        {"{{code}}": f"sum by (code) ({rate('bothends_requests_total')})"},
        unit="reqps",
        colors={
            "OK": BLUE,
            "INVALID_ARGUMENT": GREY,
            "RESOURCE_EXHAUSTED": ORANGE,
            "UNAVAILABLE": PURPLE,
            "DEADLINE_EXCEEDED": YELLOW,
            "CANCELLED": SKY,
            "INTERNAL": VERMILION,
        },
    ),
    lines(
        "Requests by path",
        "Requests a second by what served them: C++ alone, or Python, which costs several times as much. Much python "
        "under load: callers are traced, the log is at debug, or an engine serves that C++ can't call.",
        {"{{path}}": f"sum by (path) ({rate('bothends_path_requests_total')})"},
        unit="reqps",
        colors={"native": BLUE, "python": ORANGE},
        stacked=True,
    ),
    lines(
        "Refused by reason",
        "Requests turned away a second. full: no room, or too long a wait; deadline: no time left; both want more "
        "instances. quota: a key has had its share. draining is a server on its way out, unfit one whose model failed; "
        "invalid and unauthenticated are callers' mistakes.",
        {"{{reason}}": f"sum by (reason) ({rate('bothends_refused_requests_total')})"},
        unit="reqps",
        colors={
            "full": VERMILION,
            "deadline": ORANGE,
            "quota": YELLOW,
            "draining": PURPLE,
            "unfit": BLUE,
            "invalid": GREY,
            "unauthenticated": SKY,
        },
    ),
    lines(
        "Saturation",
        "How busy the engine is and how full the queue, on the worst instance. Engine at 100 % with a short queue is "
        "full use; with a growing queue it is too little: add instances.",
        {
            "engine busy": f"max(sum by (instance) ({rate('bothends_phase_seconds_sum', _ENGINE)}) / "
            f"sum by (instance) ({pick('bothends_engine_workers')}))",
            "queue fill": _FILL,
        },
        unit="percentunit",
        colors={"engine busy": BLUE, "queue fill": ORANGE},
        limits=levels("transparent", (0.8, GREY)),
        top=1,
    ),
]

_SHAPE: list[Panel] = [
    lines(
        "Batch shape",
        "Sentences in a model run: the mean and the widest in a hundred. 1 while there is little to do; more rows come "
        "with load. Always 1 under load: sentences differ too much in length.",
        {"mean": mean("bothends_batch_rows"), "p99": quantile(0.99, "bothends_batch_rows")},
        unit="short",
        colors={"mean": BLUE, "p99": ORANGE},
    ),
    lines(
        "Padding",
        "Share of what the engine reads that is padding and no words: the mean, and what one batch in ten has more "
        "of. Over 40 % with a busy engine: see BothendsPaddingWaste in docs/runbook.md.",
        {
            "mean": f"1 - {mean('bothends_batch_efficiency_ratio')}",
            "p90": f"1 - {quantile(0.1, 'bothends_batch_efficiency_ratio')}",
        },
        unit="percentunit",
        colors={"mean": BLUE, "p90": ORANGE},
        limits=levels("transparent", (0.4, GREY)),
        top=1,
    ),
    lines(
        "Distance from PyTorch",
        "Largest difference of a number from PyTorch's, as the last self-test found it. About 1e-7 on a CPU, "
        "2e-3 in bf16 and 1e-2 in int8; 1e-4 is allowed on a GPU. A step up: another model, machine or library, so see "
        "What is served.",
        {"{{instance}}": f"max by (instance) ({pick('bothends_selftest_difference')})"},
        unit="sci",
    ),
]

ROWS: list[tuple[int, list[Panel]]] = [(4, _NOW), (8, _SPEED), (6, _LOAD), (6, _SHAPE)]
