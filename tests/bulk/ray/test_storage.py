"""Files are fetched from stores and put into them whole, or are named where they can't be."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from bothends.bulk.ray import storage
from bothends.errors import BothendsError
from bothends.model.bundle import Bundle
from tests.bulk import files
from tests.bulk.conftest import Embed, lines
from tests.bulk.ray.plans import embedded, plan


@pytest.fixture(autouse=True)
def _empty_memory() -> Iterator[None]:
    yield
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("kind", ["parquet", "csv.gz"])
@pytest.mark.parametrize("from_where", ["memory://in", "zip://*::{folder}/in.zip"])
def test_from_and_to_a_store(embed: Embed, toy_bundle: Bundle, tmp_path: Path, from_where: str, kind: str) -> None:
    """Outputs that are put into a store have the bytes of a run from file to file, and leave nothing else there."""
    texts = lines(300)
    texts[5] = ""
    source = files.write(tmp_path / f"a.{kind}", texts, kind)
    store = fsspec.filesystem("memory")
    store.pipe_file(f"/in/a.{kind}", source.read_bytes())
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as packed:
        packed.write(source, source.name)
    given = plan(from_where.format(folder=tmp_path), "memory://out", toy_bundle, column="text")
    (said,) = embedded(given)
    assert (said["rows"], said["bad_rows"]) == (300, 1), said
    embed("--input", source, "--output", tmp_path / "here.parquet", "--column", "text")
    for suffix in ("", ".bad.jsonl"):
        assert store.cat_file(f"/out/a.parquet{suffix}") == Path(f"{tmp_path}/here.parquet{suffix}").read_bytes()
    names = ["/out/_bothends/a.parquet.json", "/out/_bothends/job.json", "/out/a.parquet", "/out/a.parquet.bad.jsonl"]
    assert store.find("/out") == names


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cant_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BothendsError, match="can't be written: Permission denied"):
        storage.OutputFolder(str(tmp_path / "out")).write("a", b"")
