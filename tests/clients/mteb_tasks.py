"""Two tasks of MTEB's kinds, of pairs and of search, on sentences of this file; the last line says that all is well."""

import sys
from typing import Any

import datasets
import mteb
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.sts import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

from bothends.mteb import MtebEncoder

PAIRS = [
    ("A man is eating.", "Someone eats food.", 4.5),
    ("A dog runs.", "A hound is running.", 4.8),
    ("The car is red.", "It rains today.", 0.5),
    ("He plays guitar.", "A man plays an instrument.", 4.0),
    ("There will be dragons.", "Pay the bill.", 0.0),
]
NOTES = {"dog": "Our dog is afraid of thunder.", "bread": "Bread stays soft in a cloth bag."}
QUESTIONS = {"dog": "pets that are scared", "bread": "my loaf goes stale"}
UNKNOWN = (
    "reference", "date", "domains", "task_subtypes", "license", "annotations_creators", "dialect", "sample_creation",
    "bibtex_citation",
)  # fmt: skip


def about(name: str, kind: str, score: str) -> TaskMetadata:
    known: dict[str, Any] = {"dataset": {"path": "nowhere/at-all", "revision": "1"}, "modalities": ["text"]}
    known |= {"name": name, "description": name, "type": kind, "category": "t2t", "main_score": score}
    return TaskMetadata(eval_splits=["test"], eval_langs=["eng-Latn"], **known, **dict.fromkeys(UNKNOWN))


class Pairs(AbsTaskSTS):  # type: ignore[misc]  # mteb is in another environment
    """Pairs of sentences, with how alike they are."""

    metadata = about("Pairs", "STS", "cosine_spearman")
    min_score, max_score = 0, 5

    def load_data(self, **_: Any) -> None:
        columns = dict(zip(("sentence1", "sentence2", "score"), zip(*PAIRS, strict=True), strict=True))
        self.dataset = {"test": datasets.Dataset.from_dict(columns)}
        self.data_loaded = True


class Notes(AbsTaskRetrieval):  # type: ignore[misc]  # mteb is in another environment
    """Notes that questions are to find."""

    metadata = about("Notes", "Retrieval", "ndcg_at_10")

    def load_data(self, **_: Any) -> None:
        corpus, queries = (
            datasets.Dataset.from_list([{"id": name, "title": "", "text": text} for name, text in texts.items()])
            for texts in (NOTES, QUESTIONS)
        )
        relevant = {name: {name: 1} for name in QUESTIONS}
        parts = {"corpus": corpus, "queries": queries, "relevant_docs": relevant, "top_ranked": None}
        self.dataset = {"default": {"test": parts}}
        self.data_loaded = True


model = MtebEncoder()
assert isinstance(model, mteb.models.EncoderProtocol)
for task in (Pairs(), Notes()):
    found = mteb.evaluate(model, task, cache=None, overwrite_strategy="always")
    score = found.task_results[0].scores["test"][0]["main_score"]
    sys.stdout.write(f"{found.model_name} {found.model_revision} {task.metadata.name} {score}\n")
    assert score > 0.9
sys.stdout.write("all is well\n")
