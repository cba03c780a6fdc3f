"""Connections of callers over gRPC who say what grpcio wouldn't, and servers whose callers have keys."""

from collections.abc import Callable
from pathlib import Path

from bothends.server.keys import new
from tests.support.serving import Running

STREAM = "/bothends.v1.EmbeddingService/EmbedStream"


def port_of(running: Running) -> int:
    return int(running.target.rpartition(":")[2])


def two_keys(serve: Callable[..., Running], folder: Path, *, sentences_per_s: int) -> tuple[Running, str, str]:
    """Start a server with two keys: a greedy caller's, who has a small share, and a polite one's."""
    (greedy, first), (polite, second) = new("greedy"), new("polite")
    (folder / "keys.toml").write_text(f"{first}sentences_per_s = {sentences_per_s}\n{second}")
    return serve("--api-keys", str(folder / "keys.toml")), greedy, polite
