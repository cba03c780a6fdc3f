"""Plans of runs by the toy model, and a node that embeds their files in this process, without Ray."""

from dataclasses import asdict
from typing import Any

from bothends.bulk.ray.node import Node
from bothends.bulk.ray.plan import Plan
from bothends.bulk.ray.plan import files as files_of
from bothends.model.bundle import Bundle
from bothends.options import EmbedOptions

OPTIONS = EmbedOptions(truncation="start", normalize=False, dimensions=None, encoding="float32")


def plan(source: object, output: object, bundle: Bundle | None = None, **changed: Any) -> Plan:
    """Make a plan to Parquet, by the toy model."""
    model = {"device": "cpu", "workers": 1}
    usual: dict[str, Any] = {"column": None, "keep": (), "overwrite": False, "options": OPTIONS, "run": "first"}
    usual |= {"input_format": None, "output_format": "parquet", "model": model}
    return Plan(str(source), str(output), bundle=str(bundle.path) if bundle else None, **(usual | changed))


def embedded(given: Plan) -> list[dict[str, Any]]:
    """Return a node's answers about each file, by the names of their outputs."""
    node = Node(asdict(given))
    listed = sorted(files_of(given)[0], key=lambda file: file.output)
    return [node.embed(asdict(file), lambda *_: None) for file in listed]
