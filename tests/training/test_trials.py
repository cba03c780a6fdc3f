"""Search in collections and triples: their files, and scores by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from bothends.search import WordIndex, standardised
from bothends_training.trials import Collection, TrialError, Triples, rankings, read_collection, read_triples


def test_ndcg_is_that_of_the_formula() -> None:
    """The gain of each relevant document is divided by its rank's logarithm, and the sum by that of the best order;
    what stands past the tenth place counts for nothing.
    """
    angles = np.linspace(0, 1, 12)
    documents = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    queries = np.array([[1.0, 0.0], [2.0, 0.0]])
    vectors = np.concatenate([documents, queries]).astype(np.float32)
    collection = Collection("toy", [str(number) for number in range(12)], ["one", "two"], [{1, 4}, {10, 11}])
    found = (1 / math.log2(3) + 1 / math.log2(6)) / (1 / math.log2(2) + 1 / math.log2(3))
    assert collection.score(vectors) == pytest.approx(100 * (found + 0) / 2)
    assert collection.texts == [*map(str, range(12)), "one", "two"]
    assert collection.count == 2


def test_documents_are_ranked_by_pieces_too() -> None:
    """A question finds a document by the best piece of it; one that isn't longer than a piece has its own cosine."""
    collection = Collection("toy", ["one two three four five", "six"], ["a question"], [{0}])
    (pieces,) = rankings(collection, piece_words=2, is_hybrid=False)
    assert pieces.name == "toy, pieces of 2"
    assert pieces.texts == [*collection.documents, "one two", "three four five", *collection.queries]
    vectors = np.array([[0, 1], [0.4, 0.9], [9, 0], [0, 1], [1, 0]], dtype=np.float32)
    assert collection.score(vectors[[0, 1, 4]]) == pytest.approx(100 / math.log2(3))
    assert pieces.score(vectors) == pytest.approx(100)


def test_words_rank_alone_and_beside_cosines() -> None:
    """The first question's document shares its words and is far off, the second's is near and shares none."""
    collection = Collection("toy", ["a dragon", "ships", "a house"], ["the dragon", "a boat"], [{0}, {1}])
    vectors = np.array([[0, 1], [1, 0], [0.6, 0.8], [1, 0], [1, 0]], dtype=np.float32)
    alone, both = rankings(collection, piece_words=None, is_hybrid=True)
    assert (alone.name, both.name) == ("toy, BM25 alone", "toy, whole with BM25")
    assert alone.score(vectors) == alone.score(vectors[:, ::-1])
    assert both.count == alone.count == 2
    assert both.texts == collection.texts
    assert collection.score(vectors) == pytest.approx(100 * (1 / math.log2(4) + 1) / 2)
    words = np.array([[math.sqrt(2), -math.sqrt(0.5), -math.sqrt(0.5)], [0, 0, 0]])
    cosines = vectors[3:] @ vectors[:3].T
    cosines = (cosines - cosines.mean(axis=1, keepdims=True)) / cosines.std(axis=1, keepdims=True)
    assert both.score(vectors) == pytest.approx(collection.gain((words + cosines).astype(np.float32)))
    assert both.score(vectors) > collection.score(vectors)


def test_pieces_and_words_rank_together() -> None:
    """Each way of `bothends search`; both kinds of score count the same."""
    collection = Collection("toy", ["red dragons sleep", "ships", "the dragon", "sea"], ["a dragon"], [{0}])
    ways = rankings(collection, piece_words=1, is_hybrid=True)
    names = ["pieces of 1", "BM25 alone", "whole with BM25", "pieces of 1 with BM25"]
    assert [way.name for way in ways] == [f"toy, {name}" for name in names]
    pieces, alone, _, both = ways
    assert both.texts == [*collection.documents, "red", "dragons", "sleep", "the", "dragon", "a dragon"]
    angles = np.array([1.4, 0.4, 2, 2, 3, 0.1, 3, 2.5, 2.6, 0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    cosines = np.array(
        [(math.cos(1.4) + math.cos(0.1)) / 2, math.cos(0.4), (math.cos(2) + math.cos(2.5)) / 2, math.cos(2)]
    )
    words = WordIndex(collection.documents).scores("a dragon")
    sums = standardised(cosines.astype(np.float32)) + standardised(words)
    assert both.score(vectors) == pytest.approx(collection.gain(sums[np.newaxis]))
    assert max(pieces.score(vectors), alone.score(vectors[[0, 1, 2, 3, 9]])) < both.score(vectors) == pytest.approx(100)


def test_a_triple_is_right_where_the_same_is_nearer() -> None:
    """Lengths count for nothing, and a tie is wrong."""
    vectors = np.array([[1, 0], [1, 0], [1, 0], [9, 1], [1, 1], [0, 1], [1, 1], [2, 1], [0, 5]], dtype=np.float32)
    assert Triples("toy", ["a"] * 3, ["b"] * 3, ["c"] * 3).score(vectors) == pytest.approx(100 / 3)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8")
    return folder


def test_a_collection_is_read(tmp_path: Path) -> None:
    """Questions without a relevant document are left out."""
    write(tmp_path, documents="7\tbirds\n9\tdogs\n", queries="1\tsong\n2\tbark\n", relevant="2\t9\n")
    found = read_collection(tmp_path)
    assert (found.documents, found.queries, found.relevant) == (["birds", "dogs"], ["bark"], [{1}])
    assert found.name == tmp_path.name


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"documents": "1\ta\n", "queries": "1\tb\n"}, "relevant.tsv can't be read"),
        ({"documents": "1\ta\n", "queries": "1\tb\n", "relevant": "1\t2\n"}, "names 1 and 2"),
        ({"documents": "1\ta\n", "queries": "1\tb\n", "relevant": ""}, "relevant.tsv is empty"),
        ({"documents": "1\t \n", "queries": "1\tb\n", "relevant": "1\t1\n"}, "documents.tsv:1: expected 2 texts"),
    ],
)
def test_a_broken_collection_is_named(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    """The error names the file, and its line."""
    with pytest.raises(TrialError, match=complaint):
        read_collection(write(tmp_path, **files))


def test_triples_are_read_by_kind(tmp_path: Path) -> None:
    """Kinds come in the order of their first lines."""
    write(tmp_path, triples="x\ta\tb\tc\ny\td\te\tf\nx\tg\th\ti\n")
    one, other = read_triples(tmp_path / "triples.tsv")
    assert one == Triples("x", ["a", "g"], ["b", "h"], ["c", "i"])
    assert other == Triples("y", ["d"], ["e"], ["f"])
    write(tmp_path, triples="")
    with pytest.raises(TrialError, match="no triples"):
        read_triples(tmp_path / "triples.tsv")


def test_the_repositorys_triples_are_whole() -> None:
    """Each kind has two hundred at least; a sentence is never its own paraphrase, or what says something else."""
    kinds = read_triples(Path(__file__).parents[2] / "training" / "dev" / "triples.tsv")
    assert [kind.name for kind in kinds] == ["numbers", "entities", "negation", "antonyms", "roles", "typos"]
    for kind in kinds:
        assert kind.count >= 200
        assert len(set(kind.anchors)) == kind.count
        for three in zip(kind.anchors, kind.same, kind.others, strict=True):
            assert len(set(three)) == 3
