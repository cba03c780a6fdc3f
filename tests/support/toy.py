"""Fills a folder in which training can run: corpus, tokenizer, teachers, dev pairs and recipe, real and tiny."""

import random
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bothends_training.recipe import Recipe, Teacher
from bothends_training.resource import Resource

_TEXT = (
    "the a one some old young small red blue quiet man woman child dog cat bird horse sees likes hears follows paints "
    "calls house tree river song stone boat in by under near slowly today often and"
)
WORDS = _TEXT.split()
MARKS = ["[CLS]", "[SEP]"]
VOCABULARY = ["[PAD]", "[UNK]", *MARKS, *WORDS, "##s"]
NOTHING = "\u200b"
"""A sentence that isn't blank, yet holds nothing that the tokenizer keeps."""
DIMENSION = 8

RECIPE = """
name = "toy"
version = "1"
seed = 7
dev = ["dev.tsv"]

[corpus]
path = "corpus.txt"
sentences = 1000

[[teachers]]
name = "parrot"
kind = "onnx"
model = { path = "parrot.onnx" }
output = "sentence"
tokenizer = { path = "tokenizer.json" }

[student]
embedding_size = 6
hidden_size = 8
tokenizer = { path = "tokenizer.json" }

[batches]
size = 32
bucket = 2

[optimisation]
steps = 20
learning_rate = 2e-2
warmup_steps = 3
token_dropout = 0.3
evaluate_every = 4
save_every = 6
"""


def write(folder: Path, *, corpus: int = 300) -> Path:
    """Put everything that RECIPE names, and itself, into `folder`; returns the path of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.txt").write_text("".join(f"toy\t{line}\n" for line in sentences(corpus)), encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer(), encoding="utf-8")
    write_onnx_teacher(folder / "parrot.onnx")
    write_pairs(folder / "dev.tsv")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "recipe.toml"


def recipe(**changes: Any) -> Recipe:
    """RECIPE as an object; `changes` are keys of its optimisation, or whole top-level keys where it has those."""
    plan = tomllib.loads(RECIPE)
    for key, value in changes.items():
        (plan if key in Recipe.model_fields else plan["optimisation"])[key] = value
    return Recipe.model_validate(plan)


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Make sentences of 1 to 12 words, never twice the same."""
    chance = random.Random(seed)  # noqa: S311  a toy corpus needs no secrets
    made: dict[str, None] = {}
    while len(made) < count:
        words = chance.choices(WORDS, weights=range(len(WORDS), 0, -1), k=chance.randint(1, 12))
        made[" ".join(words)] = None
    return list(made)


def tokenizer() -> str:
    """Make a tokenizer.json over VOCABULARY that sets MARKS around a sentence, cuts and pads, as transformers' do."""
    ids = {piece: index for index, piece in enumerate(VOCABULARY)}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))  # noqa: S106  a token of text
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, ids[mark]) for mark in MARKS]
    )
    made.enable_truncation(5)
    made.enable_padding(length=20)
    return str(made.to_str())


def write_onnx_teacher(file: Path, *, seed: int = 0) -> NDArray[np.float32]:
    """Write a graph whose output "sentence" is the masked mean of its token vectors; return those, [tokens, DIMENSION].

    Its output "tokens" holds them one by one. The row of token 0 is as random as the others: padding would show.
    """
    table = np.random.default_rng(seed).standard_normal((len(VOCABULARY), DIMENSION)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide_mask"]),
        helper.make_node("Mul", ["tokens", "wide_mask"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "time"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["wide_mask", "time"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["sentence"]),
    ]
    graph = helper.make_graph(
        nodes,
        "parrot",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"])
            for name in ("input_ids", "attention_mask")
        ],
        [
            helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["b", "t", DIMENSION]),
            helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["b", DIMENSION]),
        ],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "time"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    return table


def write_transformers_teacher(folder: Path, *, seed: int = 0) -> None:
    """Write a BERT of one narrow layer with random weights."""
    import torch
    from transformers import BertConfig, BertModel, logging

    logging.disable_progress_bar()
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)


def teacher(
    model: str = "parrot.onnx", *, kind: str = "onnx", output: str | None = "sentence", max_tokens: int = 128
) -> Teacher:
    """A recipe's entry for a teacher whose `model` and tokenizer stand beside it."""
    return Teacher(
        name=Path(model).stem,
        kind=kind,
        model=Resource(path=model),
        tokenizer=Resource(path="tokenizer.json"),
        output=output,
        max_tokens=max_tokens,
    )


def write_pairs(file: Path, *, count: int = 40) -> None:
    """Write pairs of sentences scored by the share of words that both hold: many ties, as people's scores have."""
    first, second = sentences(count, seed=1), sentences(count, seed=2)
    lines = []
    for one, other in zip(first, second, strict=True):
        a, b = set(one.split()), set(other.split())
        lines.append(f"{round(5 * len(a & b) / len(a | b), 1)}\t{one}\t{other}\n")
    file.write_text("".join(lines), encoding="utf-8")
