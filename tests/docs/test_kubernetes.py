"""Commands, files and figures of docs/operate/kubernetes.md are those of the chart."""

import re

import yaml

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "operate" / "kubernetes.md").read_text(encoding="utf-8")
VALUES = yaml.safe_load((ROOT / "deploy" / "helm" / "bothends" / "values.yaml").read_text(encoding="utf-8"))


def test_what_it_names_is_there() -> None:
    named = re.findall(r"\bdeploy/helm[\w./-]*\w", PAGE)
    assert len(named) > 3
    for path in named:
        assert (ROOT / path).exists(), path


def test_it_has_the_figures_of_each_probe() -> None:
    """The page has each probe's and the autoscaler's numbers."""
    assert VALUES["livenessProbe"]["periodSeconds"] == 30
    assert VALUES["livenessProbe"]["failureThreshold"] == 10
    assert VALUES["readinessProbe"]["periodSeconds"] == VALUES["readinessProbe"]["failureThreshold"] == 2
    scaler = VALUES["autoscaling"]
    assert f"From {scaler['minReplicas']} to {scaler['maxReplicas']} pods" in PAGE
    assert f"{scaler['queueTokens']} a pod" in PAGE
    assert f"{scaler['cpuUtilization']} % of what a pod has" in PAGE


def test_values_that_it_names_are_the_charts() -> None:
    """Each value of its table is one of values.yaml, and what it says of a model is a list of models."""
    table = PAGE.partition("| for | values |")[2].partition("\n\n")[0]
    named = re.findall(r"`((?:[a-z]\w+\.)?[a-zA-Z]+)`", table)
    assert len(named) > 10
    for name in named:
        at = VALUES
        for key in name.split("."):
            at = at[key]
    shown = [yaml.safe_load(text)["models"] for text in re.findall(r"`(models: [^`]+)`", PAGE)]
    assert [set(model["volume"]) for (model,) in shown] == [{"image"}, {"persistentVolumeClaim"}]
