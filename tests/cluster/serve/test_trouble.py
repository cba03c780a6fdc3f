"""Mistakes are named in one line, before anything is deployed."""

import pytest

from .cluster import Cluster, Said

pytestmark = pytest.mark.ray


def last_line(said: Said) -> str:
    """Last line of a command that ended in failure."""
    assert said.ends() != 0
    return said.lines[-1]


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        ({"replicas": 2}, {}, "Error: replicas=2: "),
        ({"cpus": "many"}, {}, "Error: cpus=many: "),
        ({"min_replicas": 3, "max_replicas": 2}, {}, "Error: min_replicas=3 is more than max_replicas=2"),
        ({}, {"max_batch_row": 2}, "Error: unknown setting BOTHENDS_MAX_BATCH_ROW; did you mean"),
        ({}, {"tls_cert": "a.pem", "tls_key": "b.pem"}, "Error: --tls-cert: Ray's gRPC proxies speak no TLS"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_starts(
    cluster: Cluster, arguments: dict[str, object], settings: dict[str, object], told: str
) -> None:
    said = cluster.serve(arguments=arguments, **settings)
    assert last_line(said).startswith(told), said.text
    assert "Traceback" not in said.text
