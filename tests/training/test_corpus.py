"""Files of sentences become token ids."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bothends.model.tokenizer import Tokenizer
from bothends_training.corpus import read_sentences, tokenise
from bothends_training.dataset import bare_tokenizer
from bothends_training.errors import RecipeError
from tests.support import toy

PACK: dict[str, Callable[[bytes], bytes]] = {".txt": bytes, ".tsv": bytes, ".xz": lzma.compress, ".gz": gzip.compress}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    """The toy tokenizer as the student sees it: no marks, cut at 10 tokens."""
    file = tmp_path / "tokenizer.json"
    file.write_text(toy.tokenizer(), encoding="utf-8")
    return Tokenizer(bare_tokenizer(file), max_tokens=10, source=file)


@pytest.mark.parametrize("suffix", PACK)
def test_every_kind_of_file_holds_the_same_sentences(tmp_path: Path, suffix: str) -> None:
    """Lines that aren't blank are one sentence each, stripped: packed or not, with and without a source before it."""
    file = tmp_path / f"corpus{suffix}"
    text = "wiki\tthe old man\n\n  a naïve cat \n   \nnews\t\nnews\t one\u2028bird\r\na\tb\tthe dog"
    file.write_bytes(PACK[suffix](text.encode()))
    assert read_sentences(file, 100) == ["the old man", "a naïve cat", "one\u2028bird", "the dog"]


@pytest.mark.parametrize(("text", "held"), [("", 0), ("\n\n \n", 0), ("wiki\tone\n\n", 1)])
def test_fewer_than_two_sentences_are_refused(tmp_path: Path, text: str, held: int) -> None:
    """A batch's similarities need two; the message counts what was found."""
    file = tmp_path / "corpus.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=rf"corpus\.txt holds {held} sentences"):
        read_sentences(file, 100)


def cut(packed: bytes) -> bytes:
    """A download that stopped."""
    return packed[: len(packed) // 2]


def spoilt(packed: bytes) -> bytes:
    """A file with its middle overwritten."""
    return packed[:40] + b"\xff" * 40 + packed[80:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin1.txt", "un café\nune forêt\n".encode("latin-1")),
        ("text.xz", b"no xz at all, but text\n"),
        ("text.gz", b"no gzip at all, but text\n"),
        ("cut.xz", cut(lzma.compress("\n".join(toy.sentences(300)).encode()))),
        ("spoilt.gz", spoilt(gzip.compress("\n".join(toy.sentences(300)).encode()))),
    ],
)
def test_bytes_that_cannot_be_read_are_the_files_fault(tmp_path: Path, name: str, content: bytes) -> None:
    """A wrong encoding, a wrong suffix, a file cut short or damaged: one line that names the file."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError) as refused:
        read_sentences(tmp_path / name, 1000)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_ids_lie_end_to_end(tokenizer: Tokenizer) -> None:
    """Each sentence's slice is what the serving tokenizer gives for it, whatever the chunks they went in."""
    sentences = toy.sentences(40)
    groups = [sentences[:3], *([sentence] for sentence in sentences[3:30]), sentences[30:]]
    tokenised = tokenise(groups, tokenizer, chunk=7)
    assert tokenised.sentences == sentences
    assert tokenised.groups.tolist() == [0] * 3 + list(range(1, 28)) + [28] * 10
    for index, tokens in enumerate(tokenizer.encode(sentences)):
        assert tokenised.ids[tokenised.offsets[index] : tokenised.offsets[index + 1]].tolist() == tokens.ids
        assert tokenised.lengths[index] == len(tokens.ids) == min(10, len(sentences[index].split()))
    assert (tokenised.ids.dtype, tokenised.offsets.dtype) == (np.dtype(np.int32), np.dtype(np.int64))


def test_sentences_without_a_token_are_left_out(tokenizer: Tokenizer) -> None:
    """An LSTM can't read an empty sentence; those around it keep their order and their ids."""
    whole = ["the dog", "a bird", "one song"]
    holed = [toy.NOTHING, "the dog", toy.NOTHING, "a bird", "one song", toy.NOTHING]
    with_holes, without = (tokenise([sentences[:2], sentences[2:]], tokenizer) for sentences in (holed, whole))
    assert with_holes.sentences == whole
    assert with_holes.groups.tolist() == [0, 1, 1]
    assert with_holes.lengths.tolist() == [2, 2, 2]
    np.testing.assert_array_equal(with_holes.ids, without.ids)


def test_what_is_left_out_is_made_up_for(tmp_path: Path) -> None:
    """The count is of sentences kept: those left out don't use it up."""
    file = tmp_path / "corpus.txt"
    file.write_text("one\ntwo\nthree\nfour\n", encoding="utf-8")
    assert read_sentences(file, 2, skip={"one", "three"}.__contains__) == ["two", "four"]


def test_a_source_may_give_only_a_share(tmp_path: Path) -> None:
    """Sentences of a source in `shares` are read by chance, the same ones every time; a larger share holds a smaller
    one's; other sources are read whole.
    """
    file = tmp_path / "corpus.tsv"
    prose, titles = toy.sentences(1000)[:500], toy.sentences(1000)[500:]
    lines = [
        f"{source}\t{text}\n"
        for pair in zip(prose, titles, strict=True)
        for source, text in zip("pt", pair, strict=True)
    ]
    file.write_text("".join(lines), encoding="utf-8")
    found = {share: read_sentences(file, 1000, shares={"p": share}) for share in (0.0, 0.3, 0.6, 1.0)}
    assert found[0.0] == titles
    assert found[1.0] == read_sentences(file, 1000)
    assert 100 < len(set(found[0.3]) & set(prose)) < 200
    assert set(found[0.0]) < set(found[0.3]) < set(found[0.6]) < set(found[1.0])
