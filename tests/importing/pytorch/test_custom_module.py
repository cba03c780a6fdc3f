"""People's own modules, from the file that torch or Keras wrote to a server's vectors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from safetensors.torch import save_file
from torch import Tensor

from bothends_export import checkpoint
from tests.importing import custom_modules
from tests.importing.custom_modules import quietly
from tests.importing.end_to_end import TOLERANCE, embedded, imported, notes, refused

WORDS = ["<pad>", "<unk>", *(f"word{index}" for index in range(36)), "<s>", "</s>"]
SENTENCES = ["word1 word2 word3", "word35", "nothing known", "word7 word7 unheard word0", "WORD1 word1"]


def rows(sentence: str) -> list[int]:
    """Rows of the words between spaces; the unknown have row 1."""
    return [WORDS.index(word) if word in WORDS else 1 for word in sentence.split()]


@torch.inference_mode()
def expected(module: Callable[[Tensor], Tensor], sentences: list[list[int]]) -> np.ndarray:
    """Each sentence by itself."""
    return torch.cat([module(torch.tensor([sentence])) for sentence in sentences]).numpy()


def tokenizer_json(file: Path) -> Path:
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: row for row, word in enumerate(WORDS)}, unk_token="<unk>")  # noqa: S106  a token of text
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(["<pad>"])
    made.save(str(file))
    return file


MODULES = {
    "pooled": (custom_modules.Pooled, '[encoder]\npooling = "max"\nhead_epsilon = 1e-3\n'),
    "learned states": (lambda: custom_modules.Learned("GRU"), '[encoder]\npooling = "mean"\n'),
}


@pytest.mark.parametrize("name", MODULES)
def test_it_embeds_as_a_module_does(tmp_path: Path, name: str) -> None:
    """A state dict, of torch.save's or safetensors, with a tokenizer.json."""
    torch.manual_seed(0)
    make, toml = MODULES[name]
    made = make().eval()
    file = tmp_path / ("model.safetensors" if name == "pooled" else "model.pt")
    (save_file if name == "pooled" else torch.save)(made.state_dict(), file)
    (tmp_path / "encoder.toml").write_text(toml, encoding="utf-8")
    tokenizer = tokenizer_json(tmp_path / "tokenizer.json")
    imported(file, "--encoder", tmp_path / "encoder.toml", "--tokenizer", tokenizer)
    answered = embedded(tmp_path, SENTENCES)
    assert np.abs(answered - expected(made, [rows(s) for s in SENTENCES])).max() <= TOLERANCE


def test_a_toml_says_how_text_is_split(tmp_path: Path) -> None:
    """A TOML says the split, the cut and the model's name; rows that no word has don't come along."""
    torch.manual_seed(0)
    made = custom_modules.Plain().eval()
    torch.save({"epoch": 3, "state_dict": made.state_dict(), "lr": 0.1}, tmp_path / "model.pt")
    (tmp_path / "words.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    toml = tmp_path / "encoder.toml"
    toml.write_text(
        'name = "mine"\nmax_tokens = 9\n[tokenizer]\nvocabulary = "words.txt"\nlower = true\nunknown = "<unk>"\n'
        'padding = "<pad>"\nbefore = ["<s>"]\nafter = ["</s>"]\n',
        encoding="utf-8",
    )
    done = imported(tmp_path / "model.pt", "--encoder", toml)
    assert "39 tokens of 7 numbers" in done.stdout
    marked = [[38, *rows(sentence.lower()), 39] for sentence in SENTENCES]
    assert np.abs(embedded(tmp_path, SENTENCES) - expected(made, marked)).max() <= TOLERANCE
    assert checkpoint.load(tmp_path / "checkpoint").config.name == "mine"


def test_pooling_can_be_said_on_the_command_line(tmp_path: Path) -> None:
    """Which nothing in a state dict tells, as the note says where it is assumed."""
    torch.manual_seed(0)
    made = custom_modules.Plain().eval()
    torch.save(made.state_dict(), tmp_path / "model.pt")
    tokenizer = tokenizer_json(tmp_path / "tokenizer.json")
    imported(tmp_path / "model.pt", "--tokenizer", tokenizer, "--pooling", "last_output")
    assert notes(tmp_path) == []
    last = expected(lambda ids: made.rnn(made.embed(ids))[0][:, -1], [rows(s) for s in SENTENCES])
    assert np.abs(embedded(tmp_path, SENTENCES) - last).max() <= TOLERANCE
    other = tmp_path / "assumed"
    other.mkdir()
    imported((tmp_path / "model.pt").rename(other / "model.pt"), "--tokenizer", tokenizer)
    assert any("final_states was ASSUMED" in note for note in notes(other))


def test_it_embeds_as_torchscript_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = custom_modules.Plain().eval()
    quietly(torch.jit.script, made).save(tmp_path / "model.ts")
    done = imported(tmp_path / "model.ts", "--tokenizer", tokenizer_json(tmp_path / "tokenizer.json"))
    assert "model.ts, torchscript: 1-layer bidirectional LSTM" in done.stdout
    answered = embedded(tmp_path, SENTENCES)
    assert np.abs(answered - expected(made, [rows(s) for s in SENTENCES])).max() <= TOLERANCE


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    """A refusal is one line, and nothing is written."""
    source, out = tmp_path / "model.pt", tmp_path / "new"
    torch.save(custom_modules.Plain().state_dict(), source)
    tokenizer = tokenizer_json(tmp_path / "tokenizer.json")
    toml = tmp_path / "encoder.toml"

    def line(*options: str | Path, text: str = "") -> str:
        toml.write_text(text, encoding="utf-8")
        return refused("import", source, "--out", out, "--encoder", toml, *options)

    assert "say how text becomes rows of the table: --tokenizer" in line()
    assert "model.pt is no keras file; it is of torch" in line("--format", "keras")
    assert "none.json can't be read: No such file" in line("--tokenizer", tmp_path / "none.json")
    assert "split = 'spacy'; known are whitespace" in line(text='[tokenizer]\nvocabulary = "v"\nsplit = "spacy"')
    assert "v can't be read" in line(text='[tokenizer]\nvocabulary = "v"')
    assert "has no nn.Linear fc, which names.head says" in line("--tokenizer", tokenizer, text='[names]\nhead = "fc"')
    torch.save({**custom_modules.Plain().state_dict(), "embed.weight": torch.full((40, 7), torch.nan)}, source)
    assert "embed.weight holds NaN or infinite numbers" in line("--tokenizer", tokenizer)
