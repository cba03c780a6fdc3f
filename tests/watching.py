"""What the dashboards ask, read from their JSON as Grafana reads it. Knows nothing of what the panels should show."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DASHBOARDS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
}

ON_A_GPU = {"bothends_device_memory_bytes"}
"""Exported only where the model runs on one."""


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a panel."""

    dashboard: str
    panel: str
    ref: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.ref}"


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Every panel with its dashboard's name."""
    return [(name, panel) for name, page in DASHBOARDS.items() for panel in page["panels"]]


def queries() -> list[Query]:
    """Every query of every panel, and of the marks across them."""
    of_panels = [
        Query(name, panel["title"], target["refId"], target["expr"])
        for name, panel in panels()
        for target in panel["targets"]
    ]
    of_marks = [
        Query(name, "annotation", mark["name"], mark["expr"])
        for name, page in DASHBOARDS.items()
        for mark in page["annotations"]["list"]
    ]
    return of_panels + of_marks


def metrics_in(expression: str) -> set[str]:
    """The metrics that bothends exports for `expression` to work, by the names that /metrics declares."""
    return set(re.findall(r"\bbothends_\w+", expression))


def exported_in(page: str) -> set[str]:
    """The names of all series on a page of /metrics."""
    return set(re.findall(r"^(bothends_\w+)", page, re.MULTILINE))
