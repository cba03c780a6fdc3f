"""Names that a release had are there: of Python, commands, variables, metrics, paths, reasons and files' keys."""

import pytest

import bothends

from .interface import Listing, listing, lost
from .released import names


@pytest.fixture(scope="module")
def now() -> Listing:
    """What the code at hand offers."""
    return listing()


def test_nothing_that_was_released_is_lost(now: Listing) -> None:
    """What goes was deprecated for two minor versions: docs/stability.md. `make api` keeps what a release offers."""
    assert lost(names(), now) == []


def test_public_names_of_python_are_those_that_dir_shows() -> None:
    """Whatever else the package imports is no part of it; all that `__all__` names is."""
    shown = dir(bothends)
    assert set(bothends.__all__) | {"Encoder", "__version__"} == set(shown)
    assert all(hasattr(bothends, name) for name in shown)


@pytest.mark.parametrize(
    ("section", "name", "features"),
    [
        ("python", "bothends.Client.encode", ["0 sentences!", "timeout_s", "normalize"]),
        ("python", "bothends.Encoder.load", ["0 bundle", "device", "engine"]),
        ("python", "bothends.errors.BundleError", []),
        ("python", "bothends.ray.app", ["0 arguments!"]),
        ("python", "bothends.sklearn.SentenceVectorizer", ["0 bundle", "normalize"]),
        ("commands", "bothends serve", ["--port", "--no-tracing", "--device cuda"]),
        ("commands", "bothends export", ["checkpoint!", "--out!"]),
        ("variables", "BOTHENDS_HTTP_PORT", []),
        ("metrics", "bothends_requests_total", ["counter", "method", "code", "code=RESOURCE_EXHAUSTED"]),
        ("metrics", "bothends_phase_seconds", ["histogram", "model", "phase=queue"]),
        ("metrics", "bothends_queue_tokens", ["gauge"]),
        ("http", "POST /v1/embeddings", []),
        ("reasons", "OVERLOADED", ["RESOURCE_EXHAUSTED"]),
        ("bundle's config.json", "sha256", ["present!"]),
        ("checkpoint's config.json", "encoder.head.size", ["present!"]),
    ],
)
def test_the_listing_sees_one_of_each(now: Listing, section: str, name: str, features: list[str]) -> None:
    """A listing that sees nothing would miss nothing."""
    assert set(features) <= set(now[section][name])


BEFORE: Listing = {"commands": {"serve": ["file!", "--port", "--device cpu"], "info": []}}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"serve": ["file!", "--port", "--device cpu", "--new"], "info": [], "more": ["must!"]}, []),
        ({"serve": ["file", "--port", "--device cpu"], "info": []}, []),
        ({"serve": ["file!", "--port", "--device cpu"]}, ["commands: info"]),
        ({"serve": ["file!", "--port"], "info": []}, ["commands: serve: --device cpu"]),
        ({"serve": ["file!", "--port!", "--device cpu"], "info": []}, ["commands: serve: --port"]),
        ({"serve": ["file!", "--port", "--device cpu", "--new!"], "info": []},
         ["commands: serve: --new! must be given"]),
    ],
)  # fmt: skip
def test_what_is_lost_or_newly_asked_for_is_told(after: dict[str, list[str]], expected: list[str]) -> None:
    assert lost(BEFORE, {"commands": after}) == expected
