"""A recipe to everything that the steps read: tokenised sentences, the teachers' vectors of them, and dev pairs.

Knows nothing of students or optimisers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from bothends.model.tokenizer import Tokenizer

from .augment import augment
from .corpus import TokenisedCorpus, fingerprint, read_sentences, tokenise
from .decontaminate import NearDuplicates
from .evaluate import Pairs, read_pairs
from .neighbourhoods import neighbourhoods
from .recipe import Corpus, Recipe, RecipeError
from .teacher import Teacher
from .vectors import Vectors, cached_vectors


@dataclass(frozen=True, slots=True)
class Dataset:
    """Sentences, vectors and pairs: all that the training steps read."""

    tokenizer: Tokenizer
    tokenizer_definition: str
    """The text of its tokenizer.json, for the checkpoint."""
    corpus: TokenisedCorpus
    corpus_fingerprint: str
    vectors: list[Vectors]
    """Vectors by each teacher, of all the corpus's sentences or of the first of them only."""
    dev: list[Pairs]

    @property
    def coverage(self) -> NDArray[np.int64]:
        """Number of teachers that have a vector of each sentence, int64 [sentences]: equal numbers, equal teachers."""
        teachers = np.zeros(len(self.corpus.sentences), dtype=np.int64)
        for vectors in self.vectors:
            teachers[: len(vectors)] += 1
        return teachers

    def neighbourhoods(self, count: int, *, seed: int) -> NDArray[np.int64] | None:
        """Neighbourhood of each sentence, in the space of the first teacher that embeds all; None if `count` is 0."""
        if not count:
            return None
        return neighbourhoods(max(self.vectors, key=len), count, seed=seed)

    def targets(self, rows: NDArray[np.int64], device: torch.device) -> list[Tensor | None]:
        """Each teacher's unit vectors of these sentences, float32 [rows, its dimension]; None where it lacks some."""
        return [
            torch.from_numpy(vectors[rows]).to(device) if rows.max() < len(vectors) else None
            for vectors in self.vectors
        ]


def prepare(recipe: Recipe, folder: Path, cache: Path, progress: Progress) -> Dataset:
    """Read and tokenise the corpus and have every teacher embed it. Raises RecipeError or PairsError.

    Anything that can be refused is refused before the teachers begin: they may take hours.
    """
    source = recipe.student.tokenizer.locate(folder, cache)
    definition = bare_tokenizer(source)
    tokenizer = Tokenizer(definition, max_tokens=recipe.student.max_tokens, source=source)
    dev = [read_dev(folder / path, tokenizer) for path in recipe.dev]
    teachers = [Teacher(spec, folder, cache) for spec in recipe.teachers]
    dimension = sum(teacher.dimension for teacher in teachers)
    if recipe.student.embedding_size > dimension:
        raise RecipeError(
            f"embedding_size {recipe.student.embedding_size} exceeds the {dimension} numbers of the teachers' vectors"
        )
    sentences = read_corpus(recipe.corpus, folder, dev)
    corpus = tokenise(list(augment(sentences, recipe.corpus)), tokenizer)
    vectors = []
    for teacher, spec in zip(teachers, recipe.teachers, strict=True):
        asked = corpus.sentences[: spec.sentences]
        bar = progress.add_task(f"{teacher.name} embeds", total=len(asked))
        vectors.append(cached_vectors(teacher, asked, cache, partial(progress.advance, bar)))
    return Dataset(tokenizer, definition, corpus, fingerprint(corpus.sentences), vectors, dev)


def read_corpus(plan: Corpus, folder: Path, dev: Sequence[Pairs]) -> list[str]:
    """The sentences to learn from, without near duplicates of dev sentences, which choose a model and teach none."""
    path = (folder / plan.path).resolve()
    if plan.near_match is None:
        return read_sentences(path, plan.sentences)
    held_out = [sentence for pairs in dev for sentence in (*pairs.first, *pairs.second)]
    return read_sentences(path, plan.sentences, skip=NearDuplicates(held_out, plan.near_match).match)


def bare_tokenizer(file: Path) -> str:
    """A tokenizer.json without the marks that a transformer wants around a sentence, and without its own cutting."""
    try:
        definition = json.loads(file.read_text(encoding="utf-8"))
        definition.update(post_processor=None, truncation=None, padding=None)
    except (OSError, ValueError, AttributeError) as error:
        raise RecipeError(f"{file} is no tokenizer.json: {error}") from error
    return json.dumps(definition, ensure_ascii=False)


def read_dev(path: Path, tokenizer: Tokenizer) -> Pairs:
    """A dev file's pairs, each sentence of which the student can read. Raises PairsError or RecipeError."""
    pairs = read_pairs(path.resolve())
    for sentences in (pairs.first, pairs.second):
        for number, tokens in enumerate(tokenizer.encode(sentences), start=1):
            if not tokens.ids:
                raise RecipeError(f"{path}:{number}: a sentence holds nothing that the student's tokenizer can read")
    return pairs
