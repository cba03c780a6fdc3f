"""The cost of observing a request of one sentence beside tokenizer and engine: metrics, and spans that are not
exported.

python benchmarks/observing.py
"""

import statistics
import time
from collections.abc import Callable

from bothends.engines.contract import BatchRecord
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from bothends.observe import tracing
from bothends.observe.metrics import Metrics
from tokens import tokenizer_of

_EMBED = tracing.Method.rpc("bothends.v1.EmbeddingService", "Embed")
_ROUNDS, _EACH = 15, 2000
_SENTENCE = "The boats came back to the harbour before the storm reached the coast."
_METADATA = (("user-agent", "grpc-python/1.85.3"), ("accept-encoding", "identity"))


def observe(metrics: Metrics) -> None:
    """Count and time all that one request of one sentence makes the server count and time."""
    span = tracing.request(_EMBED, _METADATA)
    with metrics.phase("tokenise"):
        pass
    run = tracing.batch()
    tracing.link((span,), run)
    tracing.ran(run, BatchRecord(1, 16, 16, 0.0003, [0.0001]))
    metrics.batch_ran(BatchRecord(1, 16, 16, 0.0003, [0.0001]))
    metrics.embedded([16], 0)
    with metrics.phase("serialise"):
        pass
    metrics.answered("Embed", "OK", 0.001, trace_id=tracing.trace_id(span))
    tracing.answered(span, _EMBED, "OK", 0)


def microseconds(act: Callable[[], object], times: int) -> float:
    """Return the CPU time of this thread for one call."""
    started = time.thread_time()
    for _ in range(times):
        act()
    return 1e6 * (time.thread_time() - started) / times


def main() -> None:
    """Print both medians and their ratio, from interleaved rounds."""
    metrics, bundle = Metrics(), Bundle.open(default_path())
    metrics.register(_EMBED.name)
    tokenizer = tokenizer_of(bundle)
    session = OnnxRuntimeEngine(bundle, device="cpu")

    def embed() -> None:
        session.run([tokenizer.encode([_SENTENCE])[0].ids])

    rounds = [(microseconds(lambda: observe(metrics), _EACH), microseconds(embed, _EACH // 10)) for _ in range(_ROUNDS)]
    observing, engine = (statistics.median(each) for each in zip(*rounds, strict=True))
    share = 100 * observing / engine
    print(f"observing {observing:.1f} µs a request; tokenizer and engine {engine:.0f} µs; {share:.1f} %")


if __name__ == "__main__":
    main()
