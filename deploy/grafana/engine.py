"""The engine's dashboard: what it is given, in which shape, how long it takes, what it costs the machine.

What panels look like is in panels.py.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import BLUE, GREY, ORANGE, PURPLE, SKY, Panel, buckets, levels, lines, mean, pick, quantiles, rate, rows

_ENGINE, _QUEUE = 'phase="engine"', 'phase="queue"'


def page() -> Dashboard:
    """Return the empty page."""
    return (
        Dashboard("bothends: engine")
        .uid("bothends-engine")
        .description("Batches, queue and machine: why the overview's latency is what it is.")
    )


_SERVED: list[Panel] = [
    rows(
        "What is served",
        "Each instance's models, by the names that callers ask for (model), on what each runs and by what. Different "
        "devices: see BothendsDeviceFallback in docs/runbook.md. Different providers: not all have the native engine, "
        "so their last bits, and their speed, differ. Different versions of one are a deployment under way, or one "
        "that stopped halfway.",
        pick("bothends_model_info"),
        columns=["instance", "model", "name", "version", "device", "provider"],
    ),
    rows(
        "What it runs on",
        "Each instance's versions of bothends, Python, onnxruntime and the native engine (kernel). If one instance is "
        "slower or further from PyTorch than the others, see whether it differs here.",
        pick("bothends_build_info"),
        columns=["instance", "version", "python", "onnxruntime", "kernel"],
    ),
]

_BATCHES: list[Panel] = [
    buckets(
        "Rows in a batch",
        "Sentences in each model run. All at 1 with a queue that grows: sentences too unlike in length to share a "
        "batch. All at the top: the largest batch that the settings allow.",
        "bothends_batch_rows",
        unit="short",
    ),
    buckets(
        "Tokens in a batch",
        "Tokens in each model run, padding included: what a run costs. A band far above the rest is one of long "
        "sentences, behind which short ones wait.",
        "bothends_batch_tokens",
        unit="short",
    ),
    buckets(
        "Batch efficiency",
        "Share of each model run that are words and not padding. A band below 60 % is work for nothing: see Sentence "
        "length for whether a few long ones are mixed in.",
        "bothends_batch_efficiency_ratio",
        unit="percentunit",
    ),
]

_TIME: list[Panel] = [
    lines(
        "Engine seconds per batch",
        "Time in the model: the mean, half and one batch in a hundred. Rising with Tokens in a batch is its price; "
        "rising alone is a machine that is slower, hot or shared.",
        {
            "mean": mean("bothends_phase_seconds", _ENGINE),
            **quantiles("bothends_phase_seconds", _ENGINE, shares=(0.5, 0.99)),
        },
        unit="s",
        colors={"mean": SKY, "p50": BLUE, "p99": ORANGE},
    ),
    lines(
        "Engine busy",
        "Share of the time that an instance's workers run the model. One low and the others high: calls aren't spread; "
        "gRPC keeps one connection unless callers balance. At 100 %: full.",
        {
            "{{instance}}": f"sum by (instance) ({rate('bothends_phase_seconds_sum', _ENGINE)}) / "
            f"sum by (instance) ({pick('bothends_engine_workers')})"
        },
        unit="percentunit",
        limits=levels("transparent", (0.8, GREY)),
        top=1,
    ),
    lines(
        "Batches",
        "Model runs and sentences a second. Sentences flat while callers ask for more is the engine's limit. None "
        "while Queue is not empty: the engine hangs; restart it.",
        {
            "batches": f"sum({rate('bothends_batch_rows_count')})",
            "sentences": f"sum({rate('bothends_batch_rows_sum')})",
        },
        unit="cps",
        colors={"batches": BLUE, "sentences": ORANGE},
    ),
]

_WAITING: list[Panel] = [
    lines(
        "Queue wait",
        "How long a sentence waits for the engine: half, one in ten and one in a hundred. More than a few batches' "
        "time: more load than it takes, so add instances.",
        quantiles("bothends_phase_seconds", _QUEUE, shares=(0.5, 0.9, 0.99)),
        unit="s",
        colors={"p50": SKY, "p90": BLUE, "p99": ORANGE},
    ),
    lines(
        "Queue",
        "What waits now: requests, their sentences, and their tokens, which Queue fill sets against their limit. Saw "
        "teeth are bulk callers; a slope without end leads to refusals.",
        {
            "requests": f"sum({pick('bothends_queue_requests')})",
            "sentences": f"sum({pick('bothends_queue_sentences')})",
            "tokens": f"sum({pick('bothends_queue_tokens')})",
        },
        unit="short",
        colors={"requests": SKY, "sentences": BLUE, "tokens": ORANGE},
    ),
    lines(
        "Sentence length",
        "Tokens read of a sentence: half, one in a hundred, and how many a second were cut to the model's limit. Cut "
        "ones: their ends were not read, so their callers should split them.",
        {
            **quantiles("bothends_sentence_tokens", shares=(0.5, 0.99)),
            "cut a second": f"sum({rate('bothends_truncated_sentences_total')})",
        },
        unit="short",
        colors={"p50": BLUE, "p99": ORANGE, "cut a second": PURPLE},
    ),
]

_MACHINE: list[Panel] = [
    lines(
        "CPU",
        "Cores that each instance keeps busy. As many as it has workers is full use; less with a queue that grows: its "
        "container's CPU limit, or a neighbour, holds it back.",
        {"{{instance}}": f"sum by (instance) ({rate('process_cpu_seconds_total')})"},
        unit="short",
    ),
    lines(
        "Memory",
        "What each instance holds. Level after the first minutes; a slope over days is a leak: restart it and tell us. "
        "Steps come with larger batches.",
        {"{{instance}}": f"max by (instance) ({pick('process_resident_memory_bytes')})"},
        unit="bytes",
    ),
    lines(
        "Device memory",
        "What is in use on each instance's GPU, by whomever. Level after the warm-up, which runs the "
        "largest batch; near the card's limit: lower --max-batch-tokens.",
        {"{{instance}}": f"max by (instance) ({pick('bothends_device_memory_bytes')})"},
        unit="bytes",
    ).no_value("no GPU"),
]

ROWS: list[tuple[int, list[Panel]]] = [
    (4, _SERVED),
    (7, _BATCHES),
    (7, _TIME),
    (7, _WAITING),
    (7, _MACHINE),
]
