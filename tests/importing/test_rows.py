"""A vocabulary that isn't as long as its table is refused, whatever wrote the table; so is a word in a wrong place."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.doctor import graphs
from tests.doctor.modules import VOCABULARY

from . import custom_modules
from .end_to_end import TOLERANCE, embedded, imported, refused

WORDS = ["<pad>", "<unk>", *(f"word{index}" for index in range(36)), "<s>", "</s>"]
SENTENCES = ["word1 word2 word3", "word35", "nothing known", "word7 word7 unheard word0"]
SAID = '[tokenizer]\nvocabulary = "words.txt"\nunknown = "<unk>"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of model.pt, a table of 40 rows and its cells, with words.txt and encoder.toml."""
    torch.manual_seed(0)
    torch.save(custom_modules.Plain().state_dict(), tmp_path / "model.pt")
    return tmp_path


def told(folder: Path, words: list[str], *, toml: str = SAID, source: str = "model.pt") -> str:
    """The line with which an import by these words is refused."""
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    (folder / "encoder.toml").write_text(toml, encoding="utf-8")
    return refused("import", folder / source, "--out", folder / "new", "--encoder", folder / "encoder.toml")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (WORDS[1:], "words.txt: 39 words, and the table has 40 rows: no word has row 39. Is the first line missing"),
        (WORDS[:-1], "39 words, and the table has 40 rows: no word has row 39. Is the first line missing, the last"),
        (WORDS[2:], "38 words, and the table has 40 rows: no word has rows 38-39."),
        (["words", *WORDS], "41 words, and the table has 40 rows: '</s>' would get row 40, and the last is 39. Is a h"),
    ],
    ids=["first line", "last line", "both special lines", "header"],
)
def test_a_list_of_words_of_another_length_is_refused_with_both_counts(
    folder: Path, words: list[str], expected: str
) -> None:
    """Accepted, it would serve the vectors of other words, and no comparison that starts from ids could tell."""
    line = told(folder, words, toml=SAID.replace("<unk>", "word3"))
    assert expected in line
    assert "unused_rows" in line or "header line" in line


def test_rows_that_are_said_to_be_unused_are_skipped_by_the_lines(folder: Path) -> None:
    """The table of a module whose file of words lacks those of padding, the first, and of the end, the last."""
    made = custom_modules.Plain().eval()
    torch.save(made.state_dict(), folder / "model.pt")
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in WORDS[1:38]), encoding="utf-8")
    (folder / "encoder.toml").write_text(f'{SAID}unused_rows = [0, "38-39"]\n', encoding="utf-8")
    imported(folder / "model.pt", "--encoder", folder / "encoder.toml")
    rows = [[WORDS.index(word) if word in WORDS else 1 for word in sentence.split()] for sentence in SENTENCES]
    with torch.inference_mode():
        expected = torch.cat([made(torch.tensor([sentence])) for sentence in rows]).numpy()
    assert np.abs(embedded(folder, SENTENCES) - expected).max() <= TOLERANCE


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('["38-40"]', "unused_rows has 38-40; the table has rows 0 to 39"),
        ('["last"]', "unused_rows has 'last'; expected a row, as 7, or rows"),
    ],
)
def test_unused_rows_that_the_table_lacks_are_refused(folder: Path, said: str, expected: str) -> None:
    assert expected in told(folder, WORDS, toml=f"{SAID}unused_rows = {said}\n")


def test_padding_must_be_a_word(folder: Path) -> None:
    """A list without its line of padding has every word in the row before its own."""
    line = told(folder, [*WORDS[1:], "more"], toml=SAID + 'padding = "<pad>"\n')
    assert "words.txt has no word '<pad>', which [tokenizer] padding says" in line


def _toml(folder: Path, text: str) -> Path:
    (folder / "encoder.toml").write_text(text, encoding="utf-8")
    return folder / "encoder.toml"


def test_an_onnx_encoder_s_table_is_counted_too(tmp_path: Path) -> None:
    graphs.build(tmp_path / "encoder.onnx")
    words = [f"w{row}" for row in range(VOCABULARY)]
    line = told(tmp_path, words[1:], toml=SAID.replace("<unk>", "w1"), source="encoder.onnx")
    assert f"{VOCABULARY - 1} words, and the table has {VOCABULARY} rows: no word has row {VOCABULARY - 1}." in line


@pytest.mark.slow
def test_a_row_that_keras_masks_is_no_word_s(keras_folder: Path, tmp_path: Path) -> None:
    """A list without its line of padding, as Keras gives words without special ones, though as long as the table."""
    shutil.copy(keras_folder / "bigru.keras", tmp_path / "model.keras")
    line = told(tmp_path, [*WORDS[1:], "more"], source="model.keras")
    assert "the vocabulary gives '<unk>' row 0, which the model skips as padding (mask_zero)" in line
    assert 'padding = "<unk>" under [tokenizer]' in line


def test_a_handful_of_tokens_is_shown_with_their_rows(folder: Path) -> None:
    """A person can hold rows to the original before anything is exported: the first tokens, some between, the last."""
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    done = imported(folder / "model.pt", "--encoder", _toml(folder, SAID + 'padding = "<pad>"\n'))
    table = torch.load(folder / "model.pt")["embed.weight"]
    for row in (1, 2, 3, 38, 39):
        numbers = " ".join(f"{number:.4g}" for number in table[row, :3].tolist())
        assert re.search(rf"'{re.escape(WORDS[row])}' +{row} +{re.escape(numbers)} …", done.stdout)
