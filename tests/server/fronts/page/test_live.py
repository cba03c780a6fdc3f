"""The page's numbers, read of a metrics registry."""

from bothends.observe.metrics import Metrics
from bothends.observe.model_metrics import SECONDS
from bothends.server.fronts.page.live import live

EMBEDDING = ("Embed", "POST /explain")


def test_only_embeddings_count_into_the_latency() -> None:
    """Every request has its code; descriptions would make an embedding look quick, and streams slow."""
    metrics = Metrics()
    for method in ("Embed", "POST /explain", "GetModel", "EmbedStream"):
        metrics.register(method)
        metrics.answered(method, "OK", 0.002)
    metrics.answered("Embed", "INTERNAL", 100.0)
    found = live(metrics.registry, EMBEDDING)
    assert found["requests"] == {"OK": 4, "INTERNAL": 1}
    counts = dict(zip([*found["latency"]["bounds_s"], None], found["latency"]["counts"], strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {0.0025: 2, None: 1}
    assert found["latency"]["bounds_s"] == SECONDS


def test_sentences_and_tokens_are_sums() -> None:
    """Counts begin with the server; a caller that asks twice can subtract."""
    metrics = Metrics()
    metrics.of("new").embedded([3, 4], 0)
    metrics.of("old").embedded([5], 0)
    found = live(metrics.registry, EMBEDDING)
    assert (found["sentences"], found["tokens"]) == (3, 12)
