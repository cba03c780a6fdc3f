"""Trains a student by distillation according to a recipe. The run can be resumed after a kill at any moment.

    read sentences → tokenise → teachers' vectors (cached) → student → steps → checkpoint

The loop reads top to bottom; corpus, teacher, student and objective don't know each other.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from bothends.model.tokenizer import Tokenizer
from bothends_export import checkpoint
from bothends_export.checkpoint_config import CheckpointConfig
from bothends_export.encoder import Encoder

from .batches import batches, interleaved
from .dataset import Dataset, prepare
from .device import choose, send, takes_bfloat16
from .errors import RecipeError
from .evaluate import spearman
from .fit import fit, looked_at, taught
from .recipe import Recipe
from .student import Run, begin, new_student
from .targets import Targets

STATE = "training_state.pt"


@dataclass(frozen=True, slots=True)
class Job:
    """Parts of a training run that stay the same from step to step."""

    recipe: Recipe
    dataset: Dataset
    out: Path
    targets: Targets
    device: torch.device
    progress: Progress
    is_half: bool = False
    """Whether the encoder's products are of bfloat16 numbers."""


def train(recipe: Recipe, folder: Path, out: Path, cache: Path, progress: Progress) -> list[dict[str, float]]:
    """Follow `recipe` (its paths relative to `folder`) and write a checkpoint to `out`.

    An earlier run of the same recipe is continued. Returns the history: one entry for each evaluation, with the step,
    the mean loss since the previous one and each dev file's Spearman × 100. Raises RecipeError if the run can't start.
    """
    device = choose(recipe.optimisation.precision)
    is_half = recipe.optimisation.precision == "bfloat16"
    if is_half and device.type == "cpu" and not takes_bfloat16():
        progress.console.print("PyTorch has no bfloat16 LSTM for this processor: training in float32, which is slower")
        is_half = False
    state = saved_state(recipe, out, device)
    dataset = prepare(recipe, folder, cache, progress)
    if state is None:
        run = begin(recipe, folder, cache, dataset, device)
    elif state["corpus"] == dataset.corpus_fingerprint:
        run = new_student(recipe, dataset, device)
        run.restore(state)
    else:
        raise RecipeError(f"{out} holds a run on other sentences than {recipe.corpus.path} has now")
    steps(Job(recipe, dataset, out, Targets(dataset, device), device, progress, is_half), run)
    return run.history


def prepare_run(recipe: Recipe, folder: Path, cache: Path, progress: Progress, *, only: Sequence[str] = ()) -> int:
    """Fill `cache` with what `train` needs before its first step; returns the number of sentences, including copies.

    If `only` names teachers, just their vectors of the corpus and of scored sentences are computed. Raises RecipeError
    if the recipe has no teacher of that name.
    """
    if only:
        if unknown := set(only) - {teacher.name for teacher in recipe.teachers}:
            raise RecipeError(f"teachers: none is named {' or '.join(sorted(unknown))}")
        return len(prepare(recipe, folder, cache, progress, only=only).corpus.sentences)
    dataset = prepare(recipe, folder, cache, progress)
    if not any(start.recipe for start in recipe.start):  # those may not be made yet
        begin(recipe, folder, cache, dataset, torch.device("cpu"))  # a student's words are its teachers' too
    return len(dataset.corpus.sentences)


def saved_state(recipe: Recipe, out: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state that an earlier run of `recipe` left in `out`, with tensors on `device`, or None. Raises
    RecipeError if it was another recipe's.
    """
    if not (out / STATE).exists():
        return None
    state: dict[str, Any] = torch.load(out / STATE, map_location=device, weights_only=True)
    if state["recipe"] != digest(recipe):
        raise RecipeError(f"{out} holds a run of another recipe; choose another --out or remove that folder")
    return state


def digest(recipe: Recipe) -> str:
    """Return the SHA-256 of a recipe's whole content."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def steps(job: Job, run: Run) -> None:
    """Take the steps of `job` that `run` hasn't taken yet, one batch each; evaluate and save at intervals, and at the
    end.
    """
    plan = job.recipe.optimisation
    bar = job.progress.add_task("student learns", total=plan.steps, completed=run.step)
    started = time.perf_counter() - run.seconds
    for rows in islice(order(job.recipe, job.dataset), run.step, plan.steps):
        run.losses.append(step(job, rows, run))
        run.step += 1
        run.seconds = time.perf_counter() - started
        is_last = run.step == plan.steps
        if is_last or run.step % plan.evaluate_every == 0:
            evaluate(job, run)
        if is_last or run.step % plan.save_every == 0:
            save(job, run)
        job.progress.update(bar, completed=run.step)
    if not plan.steps and not run.history:
        evaluate(job, run)
        save(job, run)


def order(recipe: Recipe, dataset: Dataset) -> Iterator[NDArray[np.int64]]:
    """Return the batches of a whole run, from its first step: the numbers of each one's texts, int64 [batch]."""
    plan, seed = recipe.batches, recipe.seed
    found = dataset.neighbourhoods(plan.neighbourhoods, seed=seed)
    first, texts = dataset.corpus.documents, len(dataset.corpus.sentences)
    # A document's passage, title and sentences are of all lengths, and learn from being compared.
    lengths = dataset.corpus.lengths * ~dataset.corpus.is_document

    def among(part: slice) -> Iterator[NDArray[np.int64]]:
        near = None if found is None else found.of(part)
        kinds = dataset.coverage[part]
        drawn = batches(lengths[part], dataset.corpus.groups[part], kinds, near, plan, seed=seed)
        return (rows + part.start for rows in drawn)

    sentences = among(slice(0, taught(recipe, dataset.corpus)))
    return interleaved(sentences, among(slice(first, texts)), plan.documents) if first < texts else sentences


def evaluate(job: Job, run: Run) -> None:
    """Score the dev pairs, trials and how well it fits its teachers, add a line to the history and show it."""
    scores = {}
    trained = run.trained  # made anew at each look
    for pairs in job.dataset.dev:
        first, second = (embed(trained, job.dataset.tokenizer, side) for side in (pairs.first, pairs.second))
        scores[pairs.name] = spearman(pairs.scores, first, second)
    for trial in job.dataset.trials:
        scores[trial.name] = trial.score(embed(trained, job.dataset.tokenizer, trial.texts))
    for name, texts in looked_at(job.recipe, job.dataset.corpus).items():
        vectors = embed(trained, job.dataset.tokenizer, [job.dataset.corpus.sentences[number] for number in texts])
        told = fit(send(vectors, job.device), run.objective.served, job.targets.of(texts), job.recipe)
        scores |= {f"{name} {measure}": value for measure, value in told.items()}
    loss = {"loss": float(np.mean([float(loss) for loss in run.losses]))} if run.losses else {}
    run.history.append({"step": run.step, **loss, **scores})
    run.losses.clear()
    shown = "  ".join(f"{name} {value:.2f}" for name, value in run.history[-1].items() if name != "step")
    job.progress.console.print(f"step {run.step:>6}  {shown}", highlight=False)


def step(job: Job, rows: NDArray[np.int64], run: Run) -> Tensor:
    """Take one step of gradient descent on the texts with the numbers `rows`, int64 [batch]; returns the loss, a scalar
    on the student's device.

    Nothing here waits for a GPU: the host prepares the next batch meanwhile.
    """
    plan, device = job.recipe.optimisation, job.device
    corpus = job.dataset.corpus
    for group in run.optimiser.param_groups:
        group["lr"] = plan.learning_rate_at(run.step)
    run.encoder.train()
    # By maps of chance the first gradients would spoil what the encoder knows already (Kumar et al., "Fine-Tuning can
    # Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022).
    run.encoder.requires_grad_(run.step >= plan.maps_first)
    with torch.autocast(device.type, torch.bfloat16, enabled=job.is_half):
        embedding = read(job, run, rows)
    loss = run.objective(embedding, job.targets.of(rows), send(corpus.groups[rows], device))
    run.optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([*run.encoder.parameters(), *run.objective.parameters()], plan.clip)
    run.optimiser.step()
    if run.average:
        run.average.update(run.encoder)
    lost: Tensor = loss.detach()
    return lost


def read(job: Job, run: Run, rows: NDArray[np.int64]) -> Tensor:
    """Return the student's embeddings of the texts with the numbers `rows`, int64 [batch]: [batch, dimension]."""
    ids, lengths = job.dataset.corpus.batch(rows)
    vectors = run.encoder.embedding(send(ids, job.device))
    return run.encoder.pool(run.lstm(functional.dropout(vectors, job.recipe.optimisation.token_dropout), lengths))


@torch.inference_mode()
def embed(encoder: Encoder, tokenizer: Tokenizer, sentences: Sequence[str]) -> NDArray[np.float32]:
    """Return the encoder's embeddings of sentences, float32 [sentences, dimension], run in batches of 64 of similar
    length.
    """
    encoder.eval()
    device = encoder.embedding.weight.device
    rows = []
    found = [torch.tensor(tokens.ids) for tokens in tokenizer.encode(sentences)]
    order = sorted(range(len(found)), key=lambda number: len(found[number]))
    for start in range(0, len(order), 64):
        ids = [found[number] for number in order[start : start + 64]]
        padded = nn.utils.rnn.pad_sequence(ids, batch_first=True).to(device)
        rows.append(encoder(padded, torch.tensor([len(row) for row in ids])).embedding.cpu().numpy())
    vectors = np.concatenate(rows)
    embeddings = np.empty_like(vectors)
    embeddings[order] = vectors
    return embeddings


def save(job: Job, run: Run) -> None:
    """Write the checkpoint that `export` reads, and beside it the state that a resumed run needs."""
    recipe = job.recipe
    config = CheckpointConfig(
        name=recipe.name,
        version=recipe.version,
        max_tokens=recipe.student.max_tokens,
        nested_dimensions=recipe.loss.nested,
        languages=recipe.languages,
        encoder=run.encoder.config,
        training={
            "recipe": recipe.model_dump(mode="json"),
            "step": run.step,
            "seconds": round(run.seconds),
            "history": run.history,
        },
    )
    table_dtype = torch.float16 if recipe.student.table_dtype == "float16" else torch.float32
    checkpoint.save(job.out, run.trained, config, job.dataset.tokenizer_definition, table_dtype=table_dtype)
    unfinished = job.out / (STATE + ".partial")
    state = {"recipe": digest(recipe), "corpus": job.dataset.corpus_fingerprint, **run.state()}
    torch.save(state, unfinished)
    unfinished.replace(job.out / STATE)
