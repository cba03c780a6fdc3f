"""InferSent 1 and 2, from the files that people have to the vectors that a server answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from . import original_infersent as original
from .end_to_end import TOLERANCE, embedded, imported, notes, refused, served
from .nltk_words import nltk_words

WORDS = [
    "the",
    "a",
    "dog",
    "dogs",
    "do",
    "n't",
    "don",
    "'t",
    "The",
    ",",
    ".",
    "run",
    "ran",
    "'s",
    "``",
    "''",
    "1",
    "(",
    ")",
]
SENTENCES = [
    "The dog ran.",
    "the dogs don't run, do they?",
    '"a dog" (the dog\'s) ran 1',
    "nothing known here",
    "Dogs don't",
    "the . , the",
    "a",
]


def split(text: str, *, version: int) -> list[str]:
    """Split a text of one sentence as InferSent's `tokenize` does."""
    words = nltk_words(text)
    return words if version == 1 else " ".join(words).replace(" n't ", "n 't ").split()


def vectors_for(folder: Path, version: int, *, extra: Sequence[str] = ()) -> tuple[Path, dict[str, Any]]:
    """A file whose marks stand behind the words."""
    file = folder / ("glove.txt" if version == 1 else "crawl.vec")
    return file, original.write_vectors(file, [*WORDS, *extra, *original.MARKS[version], "rare"])


@pytest.mark.brief
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("pool", ["max", "mean"])
def test_it_embeds_as_the_original_does(tmp_path: Path, version: int, pool: str) -> None:
    """As the original does each sentence by itself, where no padding gets into the maximum."""
    model = original.write(tmp_path, version=version, pool=pool)
    file, vectors = vectors_for(tmp_path, version)
    done = imported(tmp_path / f"infersent{version}.pkl", "--vectors", file, "--pooling", pool)
    answered = embedded(tmp_path, SENTENCES)
    for sentence, row in zip(SENTENCES, answered, strict=True):
        (expected,) = model.encode([split(sentence, version=version)], vectors)
        assert np.abs(row - expected.numpy()).max() <= TOLERANCE, sentence
    assert f"infersent{version}.pkl, infersent{version}: 1-layer bidirectional LSTM, {pool} pooling" in done.stdout
    assert any("left out of a sentence" in note for note in notes(tmp_path))


def test_padding_gets_into_the_original_s_maximum_and_not_into_ours(tmp_path: Path) -> None:
    """The note is right: in a batch, the original's vector of the shorter sentence is another one."""
    model = original.write(tmp_path, version=1)
    file, vectors = vectors_for(tmp_path, 1)
    imported(tmp_path / "infersent1.pkl", "--vectors", file)
    assert any("the zeros of padding into the maximum" in note for note in notes(tmp_path))
    short, long = ["a"], split(SENTENCES[1], version=1)
    alone, padded = model.encode([short], vectors)[0], model.encode([short, long], vectors)[0]
    assert (alone - padded).abs().max() > 0.01
    (row,) = served(tmp_path, ["a"])
    assert np.abs(row - alone.numpy()).max() <= TOLERANCE
    card = (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "- Imported from `infersent1.pkl`, in the format infersent1.\n" in card
    assert all(f"- {note}\n" in card for note in notes(tmp_path))


def test_the_vocabulary_is_the_max_frequent_words(tmp_path: Path) -> None:
    """Words are those that InferSent's build_vocab_k_words chooses, or of a file of sentences its build_vocab."""
    model = original.write(tmp_path, version=1)
    file, vectors = vectors_for(tmp_path, 1)
    source = tmp_path / "infersent1.pkl"
    (tmp_path / "sentences.txt").write_text("The dogs don't run.\nUnheard\n", encoding="utf-8")
    kept = {"--top": WORDS[:4], "--words": ["The", "dogs", "do", "n't", "run", "."]}
    for option, value in {"--top": "4", "--words": str(tmp_path / "sentences.txt")}.items():
        folder = tmp_path / option
        folder.mkdir()
        moved = source.rename(folder / source.name)
        done = imported(moved, "--vectors", file, option, value)
        source = moved.rename(source)
        few = {word: vectors[word] for word in (*kept[option], "<s>", "</s>")}
        assert f"{len(few)} × 7" in done.stdout
        for sentence, row in zip(SENTENCES, embedded(folder, SENTENCES), strict=True):
            (expected,) = model.encode([split(sentence, version=1)], few)
            assert np.abs(row - expected.numpy()).max() <= TOLERANCE, sentence


def test_sentences_may_come_tokenised(tmp_path: Path) -> None:
    """Sentences that are tokenised get the vectors of the original's tokenize=False."""
    model = original.write(tmp_path, version=2)
    file, vectors = vectors_for(tmp_path, 2, extra=["dog.", '"a'])
    imported(tmp_path / "infersent2.pkl", "--vectors", file, "--tokenised")
    for sentence, row in zip(SENTENCES, embedded(tmp_path, SENTENCES), strict=True):
        (expected,) = model.encode([sentence.split()], vectors)
        assert np.abs(row - expected.numpy()).max() <= TOLERANCE, sentence


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    """A refusal is one line, and nothing is written."""
    model = original.write(tmp_path, version=1)
    file, _ = vectors_for(tmp_path, 1)
    source, out = tmp_path / "infersent1.pkl", tmp_path / "new"

    def line(*options: str | Path, of: Path = source) -> str:
        return refused("import", of, "--out", out, *options)

    assert "name it with --vectors (version 1 was trained with GloVe's glove.840B" in line()
    assert "none.txt can't be read" in line("--vectors", tmp_path / "none.txt")
    assert "--pooling last_output: an InferSent pools by max or by mean" in line(
        "--vectors", file, "--pooling", "last_output"
    )
    assert "give one of them" in line("--vectors", file, "--top", "3", "--words", file)
    other = tmp_path / "short.txt"
    original.write_vectors(other, ["the", "<s>"])
    assert "has no vector for </s>, which InferSent 1 sets around each sentence" in line("--vectors", other)
    unnamed = tmp_path / "model.pkl"
    torch.save(model.state_dict(), unnamed)
    assert "say --format infersent1 (GloVe, <s>) or --format infersent2" in line("--vectors", file, of=unnamed)
    broken = tmp_path / "broken.pkl"
    for change, message in {
        "weight_hh_l0_reverse": "has no tensor enc_lstm.weight_hh_l0_reverse, which a 1-layer bidirectional LSTM has",
        "bias_ih_l0": "enc_lstm.bias_hh_l0 is one tensor more than a 1-layer bidirectional LSTM has",
    }.items():
        weights = {name: tensor for name, tensor in model.state_dict().items() if name != f"enc_lstm.{change}"}
        torch.save(weights, broken)
        assert message in line("--vectors", file, "--format", "infersent1", of=broken)
    torch.save(model.state_dict() | {"proj_enc.weight": torch.zeros(2)}, broken)
    assert "proj_enc.weight is none of InferSent's tensors" in line("--format", "infersent1", of=broken)
