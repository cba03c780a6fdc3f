"""Engine and transport in a container: the native ones that it was built with, or the engine that is asked for."""

import re

import pytest

from .stack import Stack, provider, run_inside

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]


def test_the_native_engine_serves_by_itself(stack: Stack) -> None:
    """The native engine serves in float32, at a level that this very processor has."""
    (embedder,) = stack.containers("embedder")
    assert re.fullmatch("native/(avx512|avx2|neon|neon_dot|neon_bf16|portable)/float32", provider(embedder))


def test_calls_come_by_the_native_transport(stack: Stack) -> None:
    """The image has nghttp2 and OpenSSL, and what was built with them: it doesn't fall back to grpcio."""
    (embedder,) = stack.containers("embedder")
    assert re.search(r"^transport +native$", run_inside(embedder, "bothends", "info"), re.MULTILINE)
