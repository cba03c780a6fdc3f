"""Monitoring is the compose stack's: the same rules, the same dashboards, and the labels that they ask for."""

import json

import yaml

from tests.support.paths import ROOT
from tests.support.watching import DASHBOARDS

from .objects import Resource, of_kind, the

PROMETHEUS = ROOT / "deploy" / "prometheus"


def test_the_rules_are_the_compose_stacks(resources: list[Resource]) -> None:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    assert len(files) == 3
    assert the(resources, "PrometheusRule")["spec"]["groups"] == [group for file in files for group in file["groups"]]


def test_the_operators_kinds_have_what_they_need(resources: list[Resource]) -> None:
    """Schemas of these kinds come with the operator; they require little of these."""
    monitor, rules = the(resources, "ServiceMonitor"), the(resources, "PrometheusRule")
    assert {monitor["apiVersion"], rules["apiVersion"]} == {"monitoring.coreos.com/v1"}
    assert set(monitor["spec"]) == {"endpoints", "jobLabel", "selector"}
    assert set(rules["spec"]) == {"groups"}


def test_the_dashboards_are_the_compose_stacks(resources: list[Resource]) -> None:
    """All have the label that Grafana's sidecar looks for, and are small enough for `kubectl apply` to note down."""
    dashboards = the(resources, "ConfigMap")
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in dashboards["data"].items()} == {
        f"{name}.json": page for name, page in DASHBOARDS.items()
    }
    assert sum(map(len, dashboards["data"].values())) < 200_000  # of 262,144 bytes of annotations


def test_each_pod_is_scraped_once_as_the_job_that_rules_ask_for(resources: list[Resource]) -> None:
    monitor = the(resources, "ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    found = [
        service
        for service in of_kind(resources, "Service")
        if monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        and endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    ]
    assert len(found) == 1
    compose = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    (scraped,) = compose["scrape_configs"]
    assert found[0]["metadata"]["labels"][monitor["jobLabel"]] == scraped["job_name"]
    assert endpoint["interval"] == compose["global"]["scrape_interval"]
    assert endpoint["path"] == "/metrics"
