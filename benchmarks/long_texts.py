"""The packaged model on texts longer than a sentence: how well a passage is found by a sentence taken out of it.

python benchmarks/long_texts.py

Passages are consecutive sentences of Python's own documentation (`pydoc_data.topics`). One sentence of each is taken
out and searched for among all passages of that length; a figure is the mean of 1 / rank of the right one. Vectors are
those of a passage's first 256 tokens, as served; of all its tokens in one piece; and the mean of those of its pieces.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pydoc_data.topics import topics

import numpy as np
from numpy.typing import NDArray

from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from bothends.model.tokenizer import Tokenizer

WORDS = (50, 100, 200, 300, 400, 800)
"""Words that a passage has at least."""
PIECE = 64
"""Tokens of a piece."""
_ALL = 1 << 20
_ROWS = 16


class Model:
    """The packaged model without its limit of tokens, which the service keeps."""

    def __init__(self) -> None:
        bundle = Bundle.open(default_path())
        self._tokenizer = Tokenizer(bundle.tokenizer, max_tokens=_ALL, source=bundle.path)
        self._engine = OnnxRuntimeEngine(bundle, device="cpu")
        self.max_tokens = bundle.config.max_tokens

    def tokenise(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return all token ids of each text."""
        return [tokens.ids for tokens in self._tokenizer.encode(list(texts))]

    def embed(self, texts: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Return vectors of length 1, float32 [texts, dimension]."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        rows = [self._engine.run([texts[i] for i in order[at : at + _ROWS]]) for at in range(0, len(order), _ROWS)]
        return unit(np.concatenate(rows)[np.argsort(order)])


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)  # type: ignore[no-any-return]


def prose() -> list[str]:
    """List the sentences of the documentation's paragraphs, each once, in order."""
    found = []
    for _, text in sorted(topics.items()):
        for paragraph in re.split(r"\n\s*\n", text):
            joined = " ".join(paragraph.split())
            if re.match(r"[A-Z].*\.$", joined):  # neither a heading, nor code, nor an item of a list
                found += [one for one in re.split(r"(?<=[.!?]) (?=[A-Z])", joined) if 6 <= len(one.split()) <= 60]
    return list(dict.fromkeys(found))


def passages(sentences: Sequence[str], words: int) -> Iterator[list[str]]:
    """Yield passages of three sentences or more, which have `words` words or more."""
    passage: list[str] = []
    for sentence in sentences:
        passage.append(sentence)
        if sum(len(one.split()) for one in passage) >= words:
            if len(passage) > 2:
                yield passage
            passage = []


def reciprocal_rank(asked: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the mean of 1 / rank, among `found`, of the row that belongs to each of `asked`."""
    cosines = asked @ found.T
    return float(np.mean(1 / (cosines >= cosines.diagonal()[:, None]).sum(axis=1)))


def main() -> None:
    """Print the table of docs/encoder.md."""
    model, sentences, draw = Model(), prose(), random.Random(0)  # noqa: S311  the same passages each time
    print(f"| words | passages | tokens | first {model.max_tokens} | all | mean of pieces of {PIECE} |")
    print("|--:|--:|--:|--:|--:|--:|")
    for words in WORDS:
        asked, rest = [], []
        for passage in passages(sentences, words):
            taken = draw.randrange(1, len(passage) - 1)
            asked.append(passage[taken])
            rest.append(" ".join(passage[:taken] + passage[taken + 1 :]))
        ids, questions = model.tokenise(rest), model.embed(model.tokenise(asked))
        pieces = [[one[at : at + PIECE] for at in range(0, len(one), PIECE)] for one in ids]
        made = (
            model.embed([one[: model.max_tokens] for one in ids]),
            model.embed(ids),
            unit(np.array([model.embed(of).mean(axis=0) for of in pieces])),
        )
        figures = " | ".join(f"{reciprocal_rank(questions, rows):.2f}" for rows in made)
        print(f"| {words} | {len(ids)} | {np.mean([len(one) for one in ids]):.0f} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
