"""Gathers what training steps read by a recipe: tokenised sentences, the teachers' vectors of them, and dev pairs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
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
from .errors import RecipeError
from .evaluate import Pairs, read_pairs, spearman
from .held_out import choose, judged
from .neighbourhoods import neighbourhoods
from .recipe import Corpus, Recipe
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
    chosen = held_out_sentences(recipe, folder, tokenizer)
    held_out = [sentence for pairs in dev for sentence in (*pairs.first, *pairs.second)]
    corpus = tokenise(groups(recipe.corpus, folder, [*held_out, *chain.from_iterable(chosen.values())]), tokenizer)
    if chosen:
        dev += judged(chosen, teachers[0], cache)
    score(teachers, dev, cache, progress)
    vectors = []
    for teacher, spec in zip(teachers, recipe.teachers, strict=True):
        asked = corpus.sentences[: spec.sentences]
        bar = progress.add_task(f"{teacher.name} embeds", total=len(asked))
        vectors.append(cached_vectors(teacher, asked, cache, partial(progress.advance, bar)))
    return Dataset(tokenizer, definition, corpus, fingerprint(corpus.sentences), vectors, dev)


def held_out_sentences(recipe: Recipe, folder: Path, tokenizer: Tokenizer) -> dict[str, list[str]]:
    """The held-out sentences of each source that the student can read."""
    if recipe.held_out is None:
        return {}
    chosen = choose(recipe.held_out, (folder / recipe.corpus.path).resolve())
    return {
        source: [sentence for sentence, tokens in zip(found, tokenizer.encode(found), strict=True) if tokens.ids]
        for source, found in chosen.items()
    }


def score(teachers: Sequence[Teacher], every: Sequence[Pairs], cache: Path, progress: Progress) -> None:
    """Show how well each teacher, and all by their similarities added, rank the pairs that the student is scored on."""
    shown: dict[str, list[str]] = {}
    for pairs in every:
        first, second = (
            [cached_vectors(teacher, side, cache)[:] for teacher in teachers] for side in (pairs.first, pairs.second)
        )
        for teacher, *both in zip(teachers, first, second, strict=True):
            shown.setdefault(teacher.name, []).append(f"{pairs.name} {spearman(pairs.scores, *both):.2f}")
        both = [np.concatenate(side, axis=1) for side in (first, second)]
        shown.setdefault("all of them", []).append(f"{pairs.name} {spearman(pairs.scores, *both):.2f}")
    for name, scores in shown.items():
        progress.console.print(f"{name}  {'  '.join(scores)}", highlight=False)


def groups(plan: Corpus, folder: Path, held_out: Sequence[str]) -> list[list[str]]:
    """The sentences to learn from, each with its copies; none too long, none a near duplicate of those that choose a
    model and teach none: a copy, or a made sentence, may be one where no sentence of the corpus is.
    """
    near = NearDuplicates(held_out, plan.near_match) if plan.near_match else None

    def skip(sentence: str) -> bool:
        is_long = plan.longest is not None and len(sentence.split()) > plan.longest
        return is_long or (near is not None and near.match(sentence))

    sentences = read_sentences((folder / plan.path).resolve(), plan.sentences, shares=plan.sources, skip=skip)
    read = set(sentences)  # and so looked at before
    return [[member for member in group if member in read or not skip(member)] for group in augment(sentences, plan)]


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
