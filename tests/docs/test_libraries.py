"""Recipes of docs/guides/libraries.md print what stands under them, by the libraries that they are for."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.foreign_clients import PYTHON as CLIENTS
from tests.support.foreign_clients import SCRIPTS, run_by
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "guides" / "libraries.md").read_text("utf-8")
FOUND = re.findall(r"^```python recipe (\S+)\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
RECIPES = {name: (code, shown) for name, code, shown in FOUND}
MANY = Path(os.environ.get("RECIPES", Path(sys.prefix) / "recipes")) / "bin" / "python"
"""Python of the environment with all of the libraries."""
FEW = ("langchain", "llama-index", "haystack-pipeline")
"""Recipes whose libraries are among the other clients, and so run in `make test-slow`."""
POSTGRES = sorted(Path(os.environ.get("POSTGRES_ROOT", "/")).glob("usr/lib/postgresql/*/lib/vector.so"))
"""Extensions of the PostgreSQL servers here, as Debian installs them."""


def test_each_recipe_is_short_and_shows_what_it_prints() -> None:
    """Lines of code without the texts: a page of adapters helps nobody."""
    assert len(RECIPES) == PAGE.count("```python")
    long = {name: code for name, (code, _) in RECIPES.items() if len(re.findall(r"^\S.*", code, re.MULTILINE)) > 11}
    assert list(long) == []


def printed(python: Path, folder: Path, code: str, **variables: str) -> str:
    """What a recipe prints. It finds our packages in this tree, and in a foreign environment what they need here."""
    if not python.exists():
        pytest.skip(f"{python} is missing; `make recipes` and `make test-slow` install other people's libraries")
    ours = [str(ROOT / "service"), *([sysconfig.get_path("purelib")] if python == CLIENTS else [])]
    started = (
        f"import os, sys, warnings\nsys.path[:0] = {ours}\nos.chdir({str(ROOT)!r})\nwarnings.simplefilter('ignore')\n"
    )
    (folder / "recipe.py").write_text(started + code, encoding="utf-8")
    done = run_by(python, folder / "recipe.py", **variables)
    return done.stdout if done.returncode == 0 else done.stderr


def test_faiss(tmp_path: Path) -> None:
    """Which is installed wherever tests are."""
    pytest.importorskip("faiss", reason="faiss is missing: pip install faiss-cpu")
    code, shown = RECIPES["faiss"]
    assert printed(Path(sys.executable), tmp_path, code) == shown


@pytest.mark.slow  # starts other people's frameworks
@pytest.mark.parametrize("recipe", FEW)
def test_frameworks(tmp_path: Path, recipe: str) -> None:
    code, shown = RECIPES[recipe]
    assert printed(CLIENTS, tmp_path, code) == shown


@pytest.mark.recipes
@pytest.mark.parametrize("recipe", sorted(RECIPES.keys() - {"pgvector"}))
def test_libraries(tmp_path: Path, recipe: str) -> None:
    code, shown = RECIPES[recipe]
    assert printed(MANY, tmp_path, code, HF_HUB_OFFLINE="1").endswith(shown)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Path]:
    """The folder of the socket of a PostgreSQL server that knows vectors; it ends with the test."""
    if not POSTGRES:
        pytest.skip("no PostgreSQL here knows vectors: apt install postgresql-17-pgvector")
    programs = POSTGRES[-1].parents[1] / "bin"
    data = tmp_path / "data"
    nobody: dict[str, Any] = {"user": "nobody"} if os.getuid() == 0 else {}  # it never runs as root
    data.mkdir()
    if nobody:
        shutil.chown(data, "nobody")
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(folder.stat().st_mode | 0o011)
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"], check=True, capture_output=True, **nobody
    )
    listens = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={data}"]
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, *listens], stderr=subprocess.PIPE, text=True, **nobody
    )
    assert server.stderr is not None
    for line in server.stderr:
        if "ready to accept connections" in line:
            break
    yield data
    server.terminate()
    server.communicate(timeout=60)


@pytest.mark.recipes
def test_pgvector(tmp_path: Path, postgres: Path) -> None:
    code, shown = RECIPES["pgvector"]
    assert printed(MANY, tmp_path, code, PGHOST=str(postgres), PGUSER="postgres") == shown


@pytest.mark.recipes
@pytest.mark.parametrize(
    "code",
    [
        "from keybert import KeyBERT; KeyBERT(encoder).extract_keywords('a dog barks')",
        "from bertopic import BERTopic; BERTopic(embedding_model=encoder).fit_transform(['a dog barks'] * 20)",
        "from txtai import Embeddings; Embeddings().index(['a dog barks'])",
        "import chromadb; chromadb.EphemeralClient().create_collection('notes').add(ids=['0'], documents=['a dog'])",
    ],
    ids=("keybert", "bertopic", "txtai", "chroma"),
)
def test_who_loads_another_model_without_a_word(tmp_path: Path, code: str) -> None:
    """The page warns of it; where it is refused one day, the warning goes."""
    said = printed(MANY, tmp_path, f"import bothends\nencoder = bothends.Encoder.load()\n{code}\n")
    assert re.search(r"a client wants to reach (huggingface\.co|chroma-onnx-models\.)", said)


@pytest.mark.recipes
@pytest.mark.parametrize("script", ["evaluators.py", "mteb_tasks.py"])
def test_evaluators(tmp_path: Path, script: str) -> None:
    """Each of sentence-transformers' that takes an encoder as it is, and MTEB's tasks of pairs and of search."""
    assert printed(MANY, tmp_path, (SCRIPTS / script).read_text("utf-8")).endswith("all is well\n")
