"""Collects what training steps read for a recipe: tokenised sentences, the teachers' vectors of them, and dev pairs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from bothends.model.tokenizer import Tokenizer

from .augment import augment, misspelt
from .corpus import TokenisedCorpus, fingerprint, read_sentences, tokenise
from .decontaminate import NearDuplicates
from .documents import read_documents
from .errors import RecipeError
from .evaluate import Pairs, read_pairs, spearman
from .held_out import choose, judged
from .neighbourhoods import Neighbourhoods, neighbourhoods
from .recipe import Corpus, Recipe
from .recipe import Teacher as TeacherSpec
from .teacher import open_teacher
from .trials import Trial, read_collection, read_triples
from .vectors import Source, Vectors, cached_vectors


@dataclass(frozen=True, slots=True)
class Dataset:
    """Sentences, teachers' vectors, scored pairs and trials: all that the training steps read."""

    tokenizer: Tokenizer
    tokenizer_definition: str
    """The text of its tokenizer.json, for the checkpoint."""
    corpus: TokenisedCorpus
    corpus_fingerprint: str
    vectors: list[Vectors]
    """Vectors by each teacher, of all texts of the corpus or of some."""
    places: NDArray[np.int64]
    """Row of each text in each teacher's vectors, int64 [teachers, texts]; -1 if there is none."""
    of_families: NDArray[np.bool_]
    """True for each teacher of families alone, bool [teachers]: it has no vectors of texts without copies."""
    dev: list[Pairs]
    trials: list[Trial]
    """Collections to search in, and kinds of triples."""

    @property
    def coverage(self) -> NDArray[np.int64]:
        """Bit mask of the teachers that have a vector of each text, but those of families alone, and one more bit for
        texts of documents: int64 [texts].

        All texts of a batch have the same mask.
        """
        bits = 1 << np.arange(len(self.places) + 1)
        has = (self.places >= 0) & ~self.of_families[:, np.newaxis]
        coverage: NDArray[np.int64] = bits @ np.stack([*has, self.corpus.is_document])
        return coverage

    def neighbourhoods(self, count: int, *, seed: int) -> Neighbourhoods | None:
        """Return each text's neighbourhood: a cluster, of `count`, of the vectors of the first teacher that embeds all
        texts. None if `count` is 0.
        """
        if not count:
            return None
        told = zip(self.vectors, self.places, self.of_families, strict=True)
        (whole, *_) = [vectors for vectors, found, alone in told if found.min() >= 0 and not alone]
        return neighbourhoods(whole, count, seed=seed)


def prepare(recipe: Recipe, folder: Path, cache: Path, progress: Progress, *, only: Sequence[str] = ()) -> Dataset:
    """Read and tokenise the corpus, and have every teacher of `recipe` embed it, whose vectors are kept in `cache`.
    Paths in the recipe are relative to `folder`. If `only` names teachers, the dataset is of these alone. Raises
    RecipeError, PairsError or TrialError.

    All checks that can fail come before the teachers start, since those may take hours.
    """
    if only:
        recipe = recipe.model_copy(update={"teachers": [each for each in recipe.teachers if each.name in only]})
    tokenizer, definition = student_tokenizer(recipe, folder, cache)
    dev = [read_dev(folder / path, tokenizer) for path in recipe.dev]
    teachers = [open_teacher(spec, folder, cache) for spec in recipe.teachers]
    of_families = np.array([not spec.row_weight for spec in recipe.teachers])
    dimension = sum(teacher.dimension for teacher, alone in zip(teachers, of_families, strict=True) if not alone)
    if not (only or recipe.start) and recipe.student.embedding_size > dimension:  # they give it its first words
        raise RecipeError(
            f"embedding_size {recipe.student.embedding_size} exceeds the {dimension} numbers of the teachers' vectors"
        )
    chosen = held_out_sentences(recipe, folder, tokenizer)
    trials: list[Trial] = [read_collection((folder / path).resolve()) for path in recipe.retrieval]
    trials += [kind for path in recipe.triples for kind in read_triples((folder / path).resolve())]
    held_out = [sentence for pairs in dev for sentence in (*pairs.first, *pairs.second)]
    held_out += [text for trial in trials for text in trial.texts]
    corpus = read_corpus(recipe, folder, [*held_out, *chain.from_iterable(chosen.values())], tokenizer)
    if chosen:
        dev += judged(chosen, teachers[0], cache)
    score(teachers, dev, cache, progress)
    vectors, places = [], np.full((len(teachers), len(corpus.sentences)), -1)
    for teacher, spec, found in zip(teachers, recipe.teachers, places, strict=True):
        asked = texts_for(spec, corpus)
        found[asked] = np.arange(len(asked))
        bar = progress.add_task(f"{teacher.name} embeds", total=len(asked))
        labels = [corpus.labels[number] for number in asked]
        kept = cached_vectors(teacher, labels, cache, partial(progress.advance, bar))
        vectors.append(kept.centred() if spec.centred else kept)
    name = fingerprint(corpus.sentences)
    return Dataset(tokenizer, definition, corpus, name, vectors, places, of_families, dev, trials)


def read_corpus(recipe: Recipe, folder: Path, held_out: Sequence[str], tokenizer: Tokenizer) -> TokenisedCorpus:
    """Return the sentences with their copies, and the documents, all tokenised by `tokenizer`; no near duplicates of
    the sentences `held_out` are among them. Paths in `recipe` are relative to `folder`.
    """
    found, labels = groups(recipe.corpus, folder, held_out)
    near = NearDuplicates(held_out, recipe.corpus.near_match) if recipe.corpus.near_match else None
    documents = read_documents(recipe.documents, folder, near) if recipe.documents else []
    return tokenise(found, tokenizer, documents=documents, labels=labels)


def texts_for(spec: TeacherSpec, corpus: TokenisedCorpus) -> NDArray[np.int64]:
    """Return the numbers of the texts in `corpus` that the teacher of `spec` embeds, int64 [texts]: of the first
    sentences, and of the first documents, as many as `spec` says. A teacher of families alone embeds those that have
    others in their group.
    """
    count = corpus.documents if spec.sentences is None else min(spec.sentences, corpus.documents)
    numbers = corpus.groups[corpus.documents :]
    if spec.documents is not None:
        numbers = numbers[: np.searchsorted(numbers, numbers[0] + spec.documents)] if len(numbers) else numbers
    texts = np.concatenate([np.arange(count), corpus.documents + np.arange(len(numbers))])
    if not spec.row_weight:
        texts = texts[np.bincount(corpus.groups)[corpus.groups[texts]] > 1]
    return texts


def held_out_sentences(recipe: Recipe, folder: Path, tokenizer: Tokenizer) -> dict[str, list[str]]:
    """Return the held-out sentences of each source that the student can read."""
    if recipe.held_out is None:
        return {}
    chosen = choose(recipe.held_out, (folder / recipe.corpus.path).resolve())
    return {
        source: [sentence for sentence, tokens in zip(found, tokenizer.encode(found), strict=True) if tokens.ids]
        for source, found in chosen.items()
    }


def score(teachers: Sequence[Source], every: Sequence[Pairs], cache: Path, progress: Progress) -> None:
    """Show by `progress` how well each teacher ranks the pairs of `every` dev set, on which the student is scored, and
    so for the sum of their similarities. Vectors are kept in `cache`.
    """
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


def groups(plan: Corpus, folder: Path, held_out: Sequence[str]) -> tuple[list[list[str]], dict[str, str]]:
    """Return the sentences to learn from, each with its copies, and for each misspelt copy the sentence that it is
    taught as; the path in `plan` is relative to `folder`.

    Sentences that are too long are left out, and so are near duplicates of the sentences `held_out`, by which models
    are chosen, which must not be learned; that includes copies and made-up sentences.
    """
    near = NearDuplicates(held_out, plan.near_match) if plan.near_match else None

    def skip(sentence: str) -> bool:
        is_long = plan.longest is not None and len(sentence.split()) > plan.longest
        return is_long or (near is not None and near.match(sentence))

    sentences = read_sentences((folder / plan.path).resolve(), plan.sentences, shares=plan.sources, skip=skip)
    copied = len(sentences) if plan.copied is None else plan.copied
    read = set(sentences)  # and so looked at before
    families = augment(sentences[:copied], plan)
    found = [[member for member in group if member in read or not skip(member)] for group in families]
    labels = {}
    for group in found:
        if copy := misspelt(group[0], plan) if group else None:
            labels[copy] = group[0]
            group.append(copy)
    return found + [[sentence] for sentence in sentences[copied:]], labels


def student_tokenizer(recipe: Recipe, folder: Path, cache: Path) -> tuple[Tokenizer, str]:
    """Return the tokenizer of the recipe's student, and its tokenizer.json as text. Raises RecipeError."""
    source = recipe.student.tokenizer.locate(folder, cache)
    definition = bare_tokenizer(source)
    return Tokenizer(definition, max_tokens=recipe.student.max_tokens, source=source), definition


def bare_tokenizer(file: Path) -> str:
    """Return the text of the tokenizer.json in `file`, without the marks that a transformer needs around a sentence,
    and without truncation.
    """
    try:
        definition = json.loads(file.read_text(encoding="utf-8"))
        definition.update(post_processor=None, truncation=None, padding=None)
    except (OSError, ValueError, AttributeError) as error:
        raise RecipeError(f"{file} is no tokenizer.json: {error}") from error
    return json.dumps(definition, ensure_ascii=False)


def read_dev(path: Path, tokenizer: Tokenizer) -> Pairs:
    """Return the pairs of a dev file whose sentences the student can read. Raises PairsError or RecipeError."""
    pairs = read_pairs(path.resolve())
    for sentences in (pairs.first, pairs.second):
        for number, tokens in enumerate(tokenizer.encode(sentences), start=1):
            if not tokens.ids:
                raise RecipeError(f"{path}:{number}: a sentence holds nothing that the student's tokenizer can read")
    return pairs
