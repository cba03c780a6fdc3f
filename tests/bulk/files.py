"""Inputs written and outputs read back as other people's programs would: csv, json, pyarrow, NumPy."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

INPUTS = ["txt", "csv", "tsv", "jsonl", "parquet", "txt.gz", "csv.gz", "jsonl.gz"]
OUTPUTS = ["jsonl", "npy", "parquet"]


def write(path: Path, texts: list[str], kind: str) -> Path:
    """`texts` as the column `text` beside an `id`, or alone where there are no columns."""
    plain, _, packed = kind.partition(".")
    if plain == "parquet":
        pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), path)
        return path
    content = io.StringIO(newline="")
    if plain == "txt":
        content.write("".join(f"{text}\n" for text in texts))
    elif plain == "jsonl":
        content.write("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)))
    else:
        table = csv.writer(content, delimiter="\t" if plain == "tsv" else ",")
        table.writerows([("id", "text"), *enumerate(texts)])
    written = content.getvalue().encode()
    path.write_bytes(gzip.compress(written) if packed else written)
    return path


def read(path: Path) -> dict[int, list[float]]:
    """Vectors by row number; a row of NaN is none."""
    if path.suffix == ".npy":
        rows = np.load(path)
        return {index: row.tolist() for index, row in enumerate(rows) if not np.isnan(row).any()}
    return {each["row"]: each["embedding"] for each in records(path)}


def records(path: Path) -> list[dict[str, Any]]:
    """Rows of a jsonl or Parquet file."""
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def bad(output: Path) -> dict[int, str]:
    """Reasons by row number, of the file beside `output`."""
    return {each["row"]: each["reason"] for each in records(output.with_name(output.name + ".bad.jsonl"))}


def beside(output: Path) -> list[str]:
    """Names of what stands beside `output` because of it."""
    return sorted(path.name for path in output.parent.glob(output.name + ".*"))


def committed(output: Path) -> int:
    """Rows that count, as the journal says; -1 where there is none."""
    try:
        rows: int = json.loads(output.with_name(output.name + ".journal").read_text())["committed"]["rows"]
    except FileNotFoundError:
        return -1
    return rows
