"""Each panel of the dashboards is explained, and none asks for what isn't there."""

import re

import pytest
import yaml
from prometheus_client import generate_latest

from bothends.observe.metrics import CODES, REFUSALS
from bothends.server.server import Server
from tests.support.paths import ROOT
from tests.support.watching import (
    BY_THE_NATIVE_TRANSPORT,
    ON_A_GPU,
    exported_in,
    metrics_in,
    panels,
    queries,
)

RULES = [
    rule
    for file in sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


def test_dashboards_and_rules_ask_only_for_metrics_that_are_exported(server: Server) -> None:
    """All are exported but those of a GPU alone, and by grpcio those of the native transport."""
    expressions = [rule["expr"] for rule in RULES] + [query.expression for query in queries()]
    asked = set[str]().union(*map(metrics_in, expressions))
    exported = exported_in(generate_latest(server.metrics.registry).decode())
    assert asked - exported == ON_A_GPU | (set() if server.transport == "native" else BY_THE_NATIVE_TRANSPORT)


def test_dashboards_ask_only_for_what_rules_record() -> None:
    recorded = {rule.get("record") for rule in RULES}
    asked = {name for query in queries() for name in re.findall(r"\bbothends:[\w:]+", query.expression)}
    assert asked
    assert asked <= recorded


@pytest.mark.parametrize(("title", "names"), [("Requests by code", CODES), ("Refused by reason", REFUSALS)])
def test_each_line_has_a_colour_of_its_own(title: str, names: tuple[str, ...]) -> None:
    """Grafana's own palette goes by a line's place, so that a colour would mean another code once one more occurs."""
    (panel,) = [panel for _, panel in panels() if panel["title"] == title]
    colours = {
        override["matcher"]["options"]: each["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
    }
    assert set(colours) == set(names)
    assert len(set(colours.values())) == len(names)


def test_descriptions_and_the_runbook_name_panels_and_alerts_that_exist() -> None:
    """Bold words of the runbook are panels, other than those that begin its paragraphs."""
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    titles = {panel["title"] for _, panel in panels()}
    bold = set(re.findall(r"\*\*(.+?)\*\*", runbook)) - {"Means", "Look at", "Do", "Bold"}
    assert bold <= titles
    alerts = set(re.findall(r"^## (\w+)", runbook, re.MULTILINE))
    assert {name for _, panel in panels() for name in re.findall(r"Bothends\w+", panel["description"])} <= alerts
