"""The packaged bundle against its own model card: scores, examples and sizes are what the card says."""

import re
from itertools import pairwise

import numpy as np
import pytest

from bothends import nested
from bothends.core.embedder import Embedder
from bothends.engines import native
from bothends.model.bundle import CARD, Bundle
from bothends.options import Precision
from bothends.settings import EmbedderSettings
from bothends_training.evaluate import spearman

PAIRS = [
    (5.0, "A man is cutting an onion.", "A man is slicing an onion."),
    (4.8, "Two kids are running along the beach.", "Two children run on the beach."),
    (4.8, "Oil prices fell sharply on Monday.", "On Monday the price of oil dropped steeply."),
    (4.6, "How do I reset my password?", "What should I do to change a forgotten password?"),
    (4.5, "She plays the violin in an orchestra.", "She is a violinist in an orchestra."),
    (
        4.2,
        "The company reported a loss for the third quarter.",
        "The firm lost money in the third quarter of the year.",
    ),
    (4.0, "A dog is chasing a ball across the grass.", "A brown dog runs after a ball."),
    (3.8, "A woman is peeling a potato.", "A woman is peeling an apple."),
    (3.4, "Police arrested two men after the robbery.", "Officers are looking for two men after a robbery."),
    (3.2, "A man is riding a horse.", "A man is feeding a horse."),
    (3.0, "The boy is playing a guitar.", "A man is playing a piano."),
    (2.6, "A train is arriving at the station.", "People are waiting at the bus stop."),
    (2.4, "The president met his ministers.", "The prime minister spoke to reporters."),
    (2.0, "A cat is sleeping on a sofa.", "A dog is sleeping in the garden."),
    (1.8, "It will rain tomorrow in the north.", "Last summer was the hottest on record."),
    (1.4, "A girl is drinking milk.", "A girl is jumping over a fence."),
    (1.0, "Shares of the bank rose by five percent.", "The river rose by two metres."),
    (0.8, "A man is repairing a bicycle.", "A woman is singing on a stage."),
    (0.4, "The recipe needs two cups of flour.", "The court rejected the appeal."),
    (0.2, "My phone does not charge any more.", "Dolphins live in groups."),
    (0.0, "The telescope was launched in 1990.", "Add salt and stir the soup."),
    (0.0, "A baby is crying.", "The contract ends in March."),
]


@pytest.fixture(scope="module")
def card(english: Bundle) -> str:
    return (english.path / CARD).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(english: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of both sides of PAIRS."""
    _, first, second = zip(*PAIRS, strict=True)
    with Embedder.load(english) as embedder:
        return embedder.embed(first).rows, embedder.embed(second).rows


def test_it_scores_what_its_card_says(card: str, rows: tuple[np.ndarray, np.ndarray]) -> None:
    """Scores on pairs that were not trained for reach the card's figures of whole embeddings."""
    found = re.search(r"^\| this model.*?\| \**([\d.]+)\** \| \**([\d.]+)\** \|", card, re.MULTILINE)
    assert found, "the card has a line of scores"
    assert spearman([score for score, _, _ in PAIRS], *rows) >= max(map(float, found.groups())) > 70


def test_smaller_sizes_are_nearly_as_good(english: Bundle, card: str, rows: tuple[np.ndarray, np.ndarray]) -> None:
    """Each size that the bundle names stands in the card, and ranks the pairs nearly as the next larger one does."""
    sizes = (*english.config.nested_dimensions, english.config.dimension)
    assert sizes == (64, 128, 256, 512)
    scores = [spearman([score for score, _, _ in PAIRS], *(nested(side, size) for side in rows)) for size in sizes]
    assert all(larger - smaller < 4 for smaller, larger in pairwise(scores))
    assert all(f"{size} numbers" in card for size in sizes)


@pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
@pytest.mark.parametrize(("precision", "most"), [("bf16", 1e-6), ("int8", 1e-4)])
def test_lesser_precisions_cost_what_its_card_says(
    english: Bundle, card: str, rows: tuple[np.ndarray, np.ndarray], precision: Precision, most: float
) -> None:
    """Cosines to float32's embeddings lack as little as that, of sentences that the card wasn't measured on."""
    found = re.search(rf"^\| {precision} \| [\d.]+ \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \|", card, re.MULTILINE)
    assert found, "the card has a line for it"
    assert float(found[1]) < float(found[2]) <= most
    _, first, second = zip(*PAIRS, strict=True)
    with Embedder.load(english, settings=EmbedderSettings(precision=precision)) as embedder:
        for side, exact in zip((first, second), rows, strict=True):
            lesser, exact = embedder.embed(side).rows.astype(np.float64), exact.astype(np.float64)
            cosines = (lesser * exact).sum(axis=1) / np.linalg.norm(lesser, axis=1) / np.linalg.norm(exact, axis=1)
            assert 0 < (1 - cosines).max() <= most


def test_its_examples_are_true(english: Bundle, card: str) -> None:
    """The cosines that the card shows are those that the bundle gives."""
    examples = re.findall(r"^\| (.+?) / (.+?) \| (-?[\d.]+) \|", card, re.MULTILINE)
    assert len(examples) >= 6
    with Embedder.load(english) as embedder:
        first, second = (embedder.embed(side).rows for side in list(zip(*examples, strict=True))[:2])
    for one, other, (left, right, shown) in zip(first, second, examples, strict=True):
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert f"{cosine:.2f}" == shown, f"{left} / {right}"
