"""Asks the dashboards' queries of a Prometheus, as Grafana does, for tests that say what panels should show."""

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.paths import ROOT

DASHBOARDS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
}

ON_A_GPU = {"bothends_device_memory_bytes"}
"""Metrics that are exported only where the model runs on a GPU."""
BY_THE_NATIVE_TRANSPORT = {
    f"bothends_grpc_{name}"
    for name in (
        *("connections", "connections_limit", "begun_connections_total", "begun_calls_total", "taken_messages"),
        *("held_bytes", "held_bytes_limit", "unread_bytes", "unread_bytes_limit", "received_bytes_total"),
        *("sent_bytes_total", "resets_total", "uncounted_calls_total", "lag_seconds"),
    )
}
"""Metrics that are exported only where the native transport serves: grpcio doesn't tell."""


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


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus, asked as Grafana asks it."""

    http: httpx.Client
    rate_interval: str
    """Value of $__rate_interval, as Grafana chooses it: four scrapes at least."""

    def ask(self, expression: str) -> list[float]:
        """Ask for the values of the series that an expression finds now."""
        answer = self.http.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer["error"]
        return [float(series["value"][1]) for series in answer["data"]["result"]]

    def answer(self, query: Query) -> list[float]:
        """Ask for the values that a panel would show now."""
        variables = self._variables()
        return self.ask(_fill(query.expression, variables))

    def _variables(self) -> dict[str, str]:
        """Find the values of each variable, as Grafana would fill a query: all of them, by the dashboard's own rule."""
        chosen = {"__rate_interval": self.rate_interval, "__range": "30m"}
        for variable in DASHBOARDS["overview"]["templating"]["list"]:
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found is not None
            match = {"match[]": _fill(found[1], chosen)}
            answer = self.http.get(f"/api/v1/label/{found[2]}/values", params=match).json()
            chosen[variable["name"]] = "|".join(answer["data"])
        return chosen


def _fill(expression: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: variables[match[1]], expression)
