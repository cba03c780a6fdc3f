"""Commands and files of docs/operate/kubernetes.md are there and work."""

import os
import re
from pathlib import Path

import yaml

from tests.deploy.kubernetes.manifests import FOLDER, ROOT, container, of_kind, render

PAGE = (ROOT / "docs" / "operate" / "kubernetes.md").read_text(encoding="utf-8")


def test_the_kustomization_of_ones_own_renders(tmp_path: Path) -> None:
    """A kustomization beside a clone of this repository renders, and all that it asks for is there."""
    (shown,) = re.findall(r"```yaml\n(apiVersion.*?)```", PAGE, re.DOTALL)
    (tmp_path / "kustomization.yml").write_text(
        shown.replace("bothends/deploy", f"{os.path.relpath(ROOT, tmp_path)}/deploy")
    )
    resources = render(tmp_path)
    pod = container(resources)
    assert pod["image"] == "registry.example/bothends:0.9.0"
    assert pod["resources"]["limits"]["cpu"] == "8"
    names = {variable["name"] for variable in pod["env"]}
    assert names >= {"BOTHENDS_PRECISION", "BOTHENDS_WORKERS", "BOTHENDS_API_KEYS", "BOTHENDS_TLS_CERT"}


def test_what_it_names_is_there() -> None:
    """Folders and files that commands take are there, and every component and Service."""
    for path in re.findall(r"\bdeploy/(?:helm|kubernetes)[\w./-]*\w", PAGE):
        assert (ROOT / path).exists(), path
    for component in (FOLDER / "components").iterdir():
        assert component.name in PAGE
    for service in yaml.safe_load_all((FOLDER / "base" / "services.yml").read_text(encoding="utf-8")):
        assert f"**`{service['metadata']['name']}`**" in PAGE


def test_it_has_the_figures_of_each_probe() -> None:
    """The page has each probe's and the autoscaler's numbers."""
    pod = container(render(FOLDER / "cpu"))
    assert pod["livenessProbe"]["periodSeconds"] == 30
    assert pod["livenessProbe"]["failureThreshold"] == 10
    assert pod["readinessProbe"]["periodSeconds"] == pod["readinessProbe"]["failureThreshold"] == 2
    (scaler,) = of_kind(render(FOLDER / "cpu"), "HorizontalPodAutoscaler")
    scaler = scaler["spec"]
    assert f"From {scaler['minReplicas']} to {scaler['maxReplicas']} pods" in PAGE
    assert f"{scaler['metrics'][0]['pods']['target']['averageValue']} a pod" in PAGE
    assert f"{scaler['metrics'][1]['resource']['target']['averageUtilization']} % of what a pod has" in PAGE


def test_values_that_it_names_are_the_charts() -> None:
    """Each value of its table is one of values.yaml, and what it says of a model is a list of models."""
    values = yaml.safe_load((ROOT / "deploy" / "helm" / "bothends" / "values.yaml").read_text(encoding="utf-8"))
    table = PAGE.partition("| for | values |")[2].partition("\n\n")[0]
    named = re.findall(r"`((?:[a-z]\w+\.)?[a-zA-Z]+)`", table)
    assert len(named) > 10
    for name in named:
        at = values
        for key in name.split("."):
            at = at[key]
    shown = [yaml.safe_load(text)["models"] for text in re.findall(r"`(models: [^`]+)`", PAGE)]
    assert [set(model["volume"]) for (model,) in shown] == [{"image"}, {"persistentVolumeClaim"}]
