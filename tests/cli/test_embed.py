"""`bothends embed` of a few sentences: the numbers that a client gives, from a server or by a model here."""

import json
import subprocess

import numpy as np

from bothends import Client
from tests.support.serving import BOTHENDS, Running


def bothends(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [BOTHENDS, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_embed_prints_vectors_as_json(shared: Running) -> None:
    """One object a sentence, with the very numbers that the client gives."""
    answer = bothends("embed", "--server", shared.target, "--json", "there will be dragons", "dragons")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    with Client(shared.target) as client:
        rows = client.encode(["there will be dragons", "dragons"])
    assert np.array_equal(np.array([line["embedding"] for line in lines], dtype=np.float32), rows)
    assert [(line["token_count"], line["truncated"]) for line in lines] == [(4, False), (1, False)]
