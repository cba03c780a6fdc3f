"""Teachers' vectors, and the token embeddings that a student begins with."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
from numpy.typing import NDArray

from bothends_training.dataset import bare_tokenizer
from bothends_training.errors import RecipeError
from bothends_training.recipe import Teacher as Spec
from bothends_training.resource import Resource
from bothends_training.teacher import Teacher, open_teacher, token_embeddings
from bothends_training.vectors import cached_vectors
from tests.support import toy

SENTENCES = toy.sentences(230)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all that a toy recipe names."""
    return toy.write(tmp_path).parent


def mean_vectors(table: NDArray[np.float32], sentences: list[str], *, limit: int = 128) -> NDArray[np.float32]:
    """Return what the toy ONNX teacher computes, by numpy from its tokenizer's ids, one sentence at a time."""
    tokenizer = tokenizers.Tokenizer.from_str(toy.tokenizer())
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    means = np.stack([table[tokenizer.encode(sentence).ids].mean(axis=0) for sentence in sentences])
    unit: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
    return unit


def test_vectors_are_unit_and_in_the_order_given(folder: Path) -> None:
    """Batches of like length shuffle sentences inside; each gets its own vector back, unmoved by padding."""
    table = toy.write_onnx_teacher(folder / "parrot.onnx")
    vectors = Teacher(toy.teacher(), folder, folder / "cache").embed(SENTENCES)
    assert (vectors.shape, vectors.dtype) == ((230, toy.DIMENSION), np.dtype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors, mean_vectors(table, SENTENCES), atol=1e-6)


def test_a_teacher_reads_up_to_its_own_limit(folder: Path) -> None:
    """`max_tokens` of the recipe holds, marks counted, not the cutting and padding that the tokenizer file asks for."""
    table = toy.write_onnx_teacher(folder / "parrot.onnx")
    for limit in (4, 9):
        vectors = Teacher(toy.teacher(max_tokens=limit), folder, folder / "cache").embed(SENTENCES)
        np.testing.assert_allclose(vectors, mean_vectors(table, SENTENCES, limit=limit), atol=1e-6)


@pytest.mark.slow
def test_a_transformer_is_the_mean_of_its_last_states(folder: Path) -> None:
    """A folder of the transformers library gives the masked mean over tokens; bfloat16 moves its vectors but little."""
    import torch
    from transformers import BertModel

    toy.write_transformers_teacher(folder / "bert")
    sentences = SENTENCES[:70]
    vectors = Teacher(toy.teacher("bert", kind="transformers", output=None), folder, folder / "cache").embed(sentences)
    network = BertModel.from_pretrained(folder / "bert").eval()
    tokenizer = tokenizers.Tokenizer.from_str(toy.tokenizer())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with torch.inference_mode():
        states = [network(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0] for text in sentences]
    means = np.stack([state.mean(0).numpy() for state in states])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert (vectors.shape, vectors.dtype) == ((70, 16), np.dtype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors, means, atol=0.02)
    assert (vectors @ means.T).argmax(axis=1).tolist() == list(range(70))


@pytest.mark.parametrize("output", ["sentences", None])
def test_an_output_that_the_graph_lacks_is_named(folder: Path, output: str | None) -> None:
    """The message gives the outputs to choose from."""
    with pytest.raises(RecipeError, match=rf"parrot\.onnx has no output {output!r}; it has tokens, sentence"):
        Teacher(toy.teacher(output=output), folder, folder / "cache")


LETTERS = """
import numpy as np
largest = 0
def count(texts):
    global largest
    largest = max(largest, len(texts))
    return np.array([[3 * text.count(letter) for letter in "aeiou "] for text in texts]) + 0.5
"""


def of_letters(function: str = "letters:count", model: str = "letters.py") -> Spec:
    """A teacher that is a function of the module `letters`, decided by that module's file."""
    return Spec(name="letters", kind="function", model=Resource(path=model), function=function)


def test_a_function_of_a_package_may_be_a_teacher(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given texts as they are, some at a time; its vectors are unit, in the order given, and kept for machines
    that lack it.
    """
    (folder / "letters.py").write_text(LETTERS)
    monkeypatch.syspath_prepend(str(folder))
    teacher = Teacher(of_letters(), folder, folder / "cache")
    vectors = teacher.embed(SENTENCES)
    counted = np.array([[3 * text.count(letter) + 0.5 for letter in "aeiou "] for text in SENTENCES])
    assert (vectors.shape, vectors.dtype, teacher.dimension) == ((230, 6), np.dtype(np.float32), 6)
    np.testing.assert_allclose(vectors, counted / np.linalg.norm(counted, axis=1, keepdims=True), atol=1e-6)
    import letters  # type: ignore[import-not-found]  # this test wrote it

    assert 1 < letters.largest < 230
    cached_vectors(teacher, SENTENCES, folder / "cache")
    kept = open_teacher(of_letters(model="elsewhere.py"), folder, folder / "cache")
    np.testing.assert_allclose(cached_vectors(kept, SENTENCES[::-1], folder / "cache")[:], vectors[::-1], atol=1e-3)
    with pytest.raises(RecipeError, match=r"elsewhere\.py is missing"):  # another function is another teacher
        open_teacher(of_letters("letters:other", "elsewhere.py"), folder, folder / "cache")
    (folder / "letters.py").write_text(LETTERS + "\n")
    assert Teacher(of_letters(), folder, folder / "cache").identity != teacher.identity


@pytest.mark.parametrize("function", ["nowhere:count", "json:count"])
def test_a_function_that_is_not_there_is_one_error(folder: Path, function: str) -> None:
    """A module that can't be imported, and a name that it lacks, are told with the teacher's name."""
    (folder / "letters.py").write_text(LETTERS)
    with pytest.raises(RecipeError, match=r"the teacher letters can't be loaded from .*letters\.py: ") as refused:
        Teacher(of_letters(function), folder, folder / "cache")
    assert len(str(refused.value).splitlines()) == 1


def token_vectors() -> NDArray[np.float32]:
    """A teacher's vectors of 50 tokens."""
    return np.random.default_rng(0).normal(1, 1, size=(50, 10)).astype(np.float32)


def test_token_embeddings_are_the_principal_directions() -> None:
    """Vectors are centred and turned: all directions keep the distances between tokens, fewer keep the most of their
    spread.
    """
    vectors, unseen = token_vectors(), np.zeros(50)
    whole = token_embeddings(vectors, unseen, size=10, norm=3, frequency_scale=1e-3)
    assert (whole.shape, whole.dtype) == ((50, 10), np.dtype(np.float32))
    centred = vectors - vectors.mean(axis=0)
    scale = np.linalg.norm(centred, axis=1).mean()
    np.testing.assert_allclose(whole @ whole.T, centred @ centred.T * (3 / scale) ** 2, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1).mean(), 3, atol=1e-5)
    few = token_embeddings(vectors, unseen, size=3, norm=1, frequency_scale=1e-3)
    assert few.shape == (50, 3)
    variances = np.linalg.svd(centred, compute_uv=False)[:3] ** 2
    np.testing.assert_allclose((few**2).sum(axis=0) / (few**2).sum(), variances / variances.sum(), atol=1e-5)


def test_frequent_tokens_weigh_less() -> None:
    """Each token's row is that of an unseen one times a/(a+p): "the" hardly counts, a rare word counts whole."""
    frequencies = np.linspace(0, 0.04, 50)
    unseen = token_embeddings(token_vectors(), np.zeros(50), size=4, norm=1, frequency_scale=1e-3)
    weighted = token_embeddings(token_vectors(), frequencies, size=4, norm=1, frequency_scale=1e-3)
    ratios = np.linalg.norm(weighted, axis=1) / np.linalg.norm(unseen, axis=1)
    np.testing.assert_allclose(ratios, 1e-3 / (1e-3 + frequencies), rtol=1e-5)
    np.testing.assert_allclose(weighted, unseen * ratios[:, np.newaxis], atol=1e-6)


def test_another_tokenizer_is_another_teacher(folder: Path) -> None:
    """The same weights read other tokens: their vectors must not be mixed up in the cache."""
    before = Teacher(toy.teacher(), folder, folder / "cache").identity
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"lowercase":true', '"lowercase":false') + " ")
    assert Teacher(toy.teacher(), folder, folder / "cache").identity != before


def test_a_broken_file_is_one_error_that_names_it(folder: Path) -> None:
    """Errors of any kind that the libraries raise become one that names the file."""
    (folder / "parrot.onnx").write_bytes(b"no graph")
    with pytest.raises(RecipeError, match=r"the teacher parrot can't be loaded from .*parrot\.onnx"):
        Teacher(toy.teacher(), folder, folder / "cache")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(RecipeError, match=r"tokenizer\.json is no tokenizer"):
        Teacher(toy.teacher(), folder, folder / "cache")


def test_a_vector_without_direction_is_refused(folder: Path) -> None:
    """A sentence of nothing would become NaN, and teach it."""
    (folder / "tokenizer.json").write_text(bare_tokenizer(folder / "tokenizer.json"))
    with pytest.raises(RecipeError, match="gives a sentence no direction"):
        Teacher(toy.teacher(), folder, folder / "cache").embed(["a cat", toy.NOTHING])
