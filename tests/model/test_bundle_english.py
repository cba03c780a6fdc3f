"""The packaged bundle against its own model card: scores, examples and sizes are what the card says."""

import re

import numpy as np
import pytest

from bothends.core.embedder import Embedder
from bothends.model.bundle import CARD, Bundle


@pytest.fixture(scope="module")
def card(english: Bundle) -> str:
    return (english.path / CARD).read_text(encoding="utf-8")


def test_its_examples_are_true(english: Bundle, card: str) -> None:
    """The cosines that the card shows are those that the bundle gives."""
    examples = re.findall(r"^\| (.+?) / (.+?) \| (-?[\d.]+) \|", card, re.MULTILINE)
    assert len(examples) >= 6
    with Embedder.load(english) as embedder:
        first, second = (embedder.embed(side).rows for side in list(zip(*examples, strict=True))[:2])
    for one, other, (left, right, shown) in zip(first, second, examples, strict=True):
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert f"{cosine:.2f}" == shown, f"{left} / {right}"
