"""Classes of docs/from-sentence-transformers.md run under the frameworks that they are for."""

import re
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.server.fronts.openai.test_clients import run
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow  # starts other people's frameworks

DOCUMENT = ROOT / "docs" / "from-sentence-transformers.md"
EXAMPLES, (MTEB,) = (
    re.findall(rf"^```python {kind}\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for kind in ("in-process", "mteb")
)
OURS = f"import sys\nsys.path[:0] = {[str(ROOT / 'service'), sysconfig.get_path('purelib')]}\n"
"""Code that finds our packages, and what they need, before those of the frameworks' environment."""


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES, ids=("langchain", "haystack"))
def test_it_embeds(tmp_path: Path, example: str) -> None:
    (tmp_path / "example.py").write_text(OURS + example, encoding="utf-8")
    assert run(tmp_path / "example.py") == "512\n"


def test_mteb_evaluates_it() -> None:
    """A task of three pairs, which any encoder of English puts into the right order."""
    reason = "mteb is missing: pip install mteb, which brings torch, and CUDA with it"
    mteb, datasets = (pytest.importorskip(name, reason=reason) for name in ("mteb", "datasets"))
    pairs = {
        "sentence1": ["a dog barks", "the cat sleeps", "prices rise"],
        "sentence2": ["a dog is barking", "stocks fall", "prices go up"],
        "score": [5.0, 0.0, 4.5],
    }
    unknown = ("date", "domains", "task_subtypes", "license", "annotations_creators", "dialect", "sample_creation")
    about = dict.fromkeys((*unknown, "reference", "bibtex_citation")) | {"name": "Pairs", "description": "three pairs"}
    about |= {"dataset": {"path": "none", "revision": "1"}, "type": "STS", "category": "t2t", "modalities": ["text"]}
    about |= {"eval_splits": ["test"], "eval_langs": ["eng-Latn"], "main_score": "cosine_spearman"}

    class Pairs(mteb.abstasks.AbsTaskSTS):
        metadata = mteb.TaskMetadata(**about)
        min_score, max_score = 0, 5

        def load_data(self, **_: object) -> None:
            self.dataset, self.data_loaded = {"test": datasets.Dataset.from_dict(pairs)}, True

    example: dict[str, Any] = {}
    exec(compile(MTEB, str(DOCUMENT), "exec"), example)  # noqa: S102  our own document
    (result,) = mteb.evaluate(example["BothendsEncoder"](), Pairs(), cache=None).task_results
    assert result.get_score() == pytest.approx(1.0)
