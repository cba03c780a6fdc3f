"""Jobs that can't be done are one line that says what to do, before anything is loaded or written."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bulk.conftest import Embed, environment
from tests.support.ran import ran
from tests.support.without import without

REFUSED = [
    ("{in} {csv}", 2, "which --column holds the sentences? There is 'id', 'title', 'body'"),
    ("{in} {csv} --column txt", 2, "has no column 'txt'; there is 'id', 'title', 'body'"),
    ("{in} {csv} --column body --keep row", 2, "--keep row: the output has a column of that name already"),
    ("{in} {twice} --column a", 2, "has more than one column 'a'"),
    ("{in} {jsonl}", 2, "which --column holds the sentences? There is 'id', 'a', 'b'"),
    ("{in} {parquet} --column n", 2, "column 'n' holds int64, not text"),
    ("{in} {txt} --column text", 2, "a text file has no columns"),
    ("{in} {txt} --output x.npy --encoding int8", 2, "no place for the scales of int8"),
    ("{in} {csv} --column body --keep id --output x.npy", 2, "npy holds vectors only"),
    ("{in} {txt} --output x.csv", 2, "its name ends in none of .jsonl, .ndjson, .npy, .parquet; say --output-format"),
    ("{in} missing.txt", 1, "missing.txt can't be read: No such file or directory"),
    ("{in} {txt} --input-format parquet", 1, "can't be read as Parquet"),
    ("{in} {txt} --output nowhere/x.npy", 1, "can't be written: there is no folder nowhere"),
    ("{in} {txt} --output /dev/null --output-format npy", 1, "is no file that could be replaced"),
    ("{in} {txt} --output {txt} --output-format npy", 2, "is the input too"),
    ("{in} {txt} --dimensions 7 --output x.npy", 1, "7 dimensions can't be had; this model offers 32"),
    ("{in} - --input-format parquet", 2, "can't be read from standard input"),
    ("dragons --output x.npy", 2, "--output is for files"),
    ("dragons --server 127.0.0.1:1", 2, "give one of them"),
    ("", 2, "give SENTENCES, or --input FILE, or -"),
]


@pytest.mark.parametrize(("flags", "code", "said"), REFUSED, ids=[flags for flags, _, _ in REFUSED])
def test_it_is_one_line_and_nothing_is_written(
    embed: Embed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, code: int, said: str
) -> None:
    (tmp_path / "a.csv").write_text("id,title,body\n1,A,dragons\n")
    (tmp_path / "b.csv").write_text("a,a\n1,2\n")
    (tmp_path / "a.txt").write_text("dragons\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1, "a": "x", "b": "y"}) + "\n")
    pq.write_table(pa.table({"n": [1], "text": ["dragons"]}), tmp_path / "a.parquet")
    there = sorted(tmp_path.iterdir())
    names = {
        "in": "--input",
        "csv": "a.csv",
        "twice": "b.csv",
        "txt": "a.txt",
        "jsonl": "a.jsonl",
        "parquet": "a.parquet",
    }
    ended = embed(*flags.format(**names).split(), code=code, cwd=tmp_path)
    error = ended.stderr.removeprefix("column: text\n")
    assert error.startswith("Error: ")
    assert said in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize(
    ("module", "output", "extra"),
    [
        ("onnxruntime", "x.npy", "cpu"),
        pytest.param("pyarrow", "x.parquet", "bulk", marks=pytest.mark.slow),
    ],
)
def test_what_isnt_installed_is_named(tmp_path: Path, module: str, output: str, extra: str) -> None:
    """A run that doesn't use a package doesn't need it."""
    (tmp_path / "a.txt").write_text("dragons\n")
    flags = ["--input", "a.txt", "--device", "cpu", "--engine", "onnxruntime", "--output"]
    command = [sys.executable, "-c", without(module), "embed", *flags]

    def run(name: str) -> "subprocess.CompletedProcess[str]":
        return ran(*command, name, cwd=tmp_path, env=environment())

    elsewhere = ", or ask a server by --server HOST:PORT" if extra == "cpu" else ""
    assert run(output).stderr == f"Error: bothends embed needs {module}: pip install 'bothends[{extra}]'{elsewhere}\n"
    if extra == "bulk":
        assert run("y.npy").returncode == 0
