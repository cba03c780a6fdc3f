"""Metrics of the autoscaler are those that the adapter offers, made of metrics which a server exports."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.ran import ran
from tests.support.watching import exported_in, metrics_in

from .charts import CHART, Helm
from .objects import Resource, the

RULES = {
    rule["name"]["as"]: rule
    for rule in yaml.safe_load((CHART.parent / "prometheus-adapter.yml").read_text(encoding="utf-8"))["rules"]["custom"]
}


def asked(resources: list[Resource]) -> dict[str, str]:
    """The autoscaler's metrics of pods, and what each pod should have in the mean."""
    metrics = the(resources, "HorizontalPodAutoscaler")["spec"]["metrics"]
    pods = [metric["pods"] for metric in metrics if metric["type"] == "Pods"]
    return {metric["metric"]["name"]: metric["target"]["averageValue"] for metric in pods}


def query(name: str) -> str:
    """Fill the adapter's template for two pods, as its documentation says."""
    rule = RULES[name]
    filled = {
        "Series": re.match(r"\w+", rule["seriesQuery"])[0],  # type: ignore[index]
        "LabelMatchers": 'namespace="bothends",pod=~"a|b"',
        "GroupBy": "pod",
    }
    return re.sub(r"<<\.(\w+)>>", lambda field: filled[field[1]], rule["metricsQuery"])


def test_the_adapter_offers_what_is_asked_for_and_no_more(helm: Helm) -> None:
    cpu, gpu = (set(asked(helm.variant(name))) for name in ("cpu", "gpu"))
    assert cpu == {"bothends_queue_tokens"}
    assert cpu | gpu == set(RULES)


def test_the_autoscaler_scales_the_deployment_and_the_budget_leaves_one(resources: list[Resource]) -> None:
    """The deployment sets no number of pods, which is the autoscaler's."""
    deployment, scaler = the(resources, "Deployment"), the(resources, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]
    assert the(resources, "PodDisruptionBudget")["spec"]["maxUnavailable"] < scaler["minReplicas"]


def test_the_queue_asks_for_pods_long_before_it_is_full(resources: list[Resource]) -> None:
    assert int(asked(resources)["bothends_queue_tokens"]) <= Settings.model_fields["max_queue_tokens"].default / 16


@pytest.mark.parametrize("name", RULES)
def test_the_adapter_asks_for_metrics_that_are_exported(server: Server, name: str) -> None:
    exported = exported_in(generate_latest(server.metrics.registry).decode())
    rule = RULES[name]
    assert metrics_in(rule["metricsQuery"] + rule["seriesQuery"]) - {name} <= exported
    assert metrics_in(query(name)) <= exported


def series_of(pod: str) -> list[dict[str, str]]:
    """Make three minutes of a pod whose queue is full and empty in turn, and whose two workers run half of the time."""
    labels = f'namespace="bothends", pod="{pod}"'
    return [
        {"series": f"bothends_queue_tokens{{{labels}}}", "values": "0 6000 0 6000 0 6000 0 6000 0 6000 0 6000"},
        {"series": f"bothends_engine_workers{{{labels}}}", "values": "2x11"},
        {"series": f'bothends_phase_seconds_sum{{{labels}, phase="engine"}}', "values": "900+15x11"},
        {"series": f'bothends_phase_seconds_sum{{{labels}, phase="queue"}}', "values": "900+90x11"},
    ]


@pytest.mark.parametrize(("name", "value"), [("bothends_queue_tokens", 3000), ("bothends_engine_busy_ratio", 0.5)])
def test_prometheus_answers_the_adapter(promtool: str, tmp_path: Path, name: str, value: float) -> None:
    """Prometheus has a value for each pod that was asked for, and for no other."""
    case = {
        "expr": f"round({query(name)}, 0.001)",
        "eval_time": "152s",
        "exp_samples": [{"labels": f'{{pod="{pod}"}}', "value": value} for pod in "ab"],
    }
    series = [one for pod in "abc" for one in series_of(pod)]
    tests = [{"interval": "15s", "input_series": series, "promql_expr_test": [case]}]
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"evaluation_interval": "2s", "tests": tests}))
    tested = ran(promtool, "test", "rules", tmp_path / "test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
