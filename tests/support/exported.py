"""Lists the metrics that a server may export, of either transport and on any device."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bothends.batching.request import Depth
from bothends.observe.metrics import Metrics
from bothends.observe.scrape import COUNTERS, GAUGES
from bothends.server.grpc.contract import Reason

_BOUNDED = ("connections", "http_connections", "slots", "held_bytes", "making_bytes", "unread_bytes")
_OF_SAMPLES = {"le"}
"""Labels that a histogram's samples have by its kind."""
_LISTED = {"code", "path", "phase", "reason", "result"}
"""Labels whose values are our own, and there at zero from the start."""


def exported() -> dict[str, list[str]]:
    """Return our metrics by the name in their `# TYPE` line, each with its type, its labels, and the values of some."""
    metrics = Metrics()
    metrics.register("Embed")
    of_model = metrics.of("english")
    of_model.serving(name="english", version="1", device="cpu", provider="native")
    metrics.watch_queue(lambda: dict.fromkeys(Depth._fields, 0), tokens_limit=1, workers=1)
    metrics.watch_transport(
        lambda: dict.fromkeys((*GAUGES, *COUNTERS), 0.0), limits=dict.fromkeys(_BOUNDED, 0), reasons=list(Reason)
    )
    metrics.watch_device_memory(lambda: 0)
    found = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name.startswith("bothends_"):
            pairs = {pair for sample in family.samples for pair in sample.labels.items()}
            labels = {label for label, _ in pairs} - _OF_SAMPLES
            values = {f"{label}={value}" for label, value in pairs if label in _LISTED}
            found[name] = [family.type, *sorted(labels), *sorted(values)]
    return dict(sorted(found.items()))
