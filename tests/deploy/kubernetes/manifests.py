"""Renders the manifests of deploy/kubernetes by the real kustomize."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest
import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
COMPONENTS = ("bundle", "keys", "tls", "tracing")
"""Components that an overlay may have, beside monitoring, which both have."""
VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cpu": ("cpu", ()),
    "gpu": ("gpu", ()),
    **{f"cpu+{component}": ("cpu", (component,)) for component in COMPONENTS},
    "cpu+all": ("cpu", COMPONENTS),
    "gpu+all": ("gpu", COMPONENTS),
}
OF_THE_OPERATOR = {"ServiceMonitor", "PrometheusRule"}
"""Kinds that Prometheus' operator brings."""

Resource: TypeAlias = Mapping[str, Any]


def kustomize() -> list[str]:
    """Find the command that renders a folder, or skip."""
    if (found := shutil.which("kustomize")) is not None:
        return [found, "build"]
    if (found := shutil.which("kubectl")) is not None:
        return [found, "kustomize"]
    pytest.skip("kustomize is missing, and kubectl too (Debian: apt-get install kustomize)")


@cache
def render(folder: Path) -> list[Resource]:
    """Render what `kubectl apply -k FOLDER` would send."""
    made = subprocess.run([*kustomize(), folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""  # what is deprecated is said there
    return list(yaml.safe_load_all(made.stdout))


@cache
def variant(name: str) -> list[Resource]:
    """Render an overlay with components, as a kustomization of one's own adds them."""
    overlay, components = VARIANTS[name]
    with TemporaryDirectory() as made:
        folder = Path(made).resolve()
        here = os.path.relpath(FOLDER, folder)
        own = {
            "resources": [f"{here}/{overlay}"],
            "components": [f"{here}/components/{component}" for component in components],
        }
        (folder / "kustomization.yml").write_text(yaml.safe_dump(own))
        return render(folder)


def of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]


def the(resources: list[Resource], kind: str) -> Resource:
    """The only resource of its kind."""
    (resource,) = of_kind(resources, kind)
    return resource


def pod(resources: list[Resource]) -> Resource:
    """The template's spec."""
    found: Resource = the(resources, "Deployment")["spec"]["template"]["spec"]
    return found


def container(resources: list[Resource]) -> Resource:
    """The pod's only container."""
    (only,) = pod(resources)["containers"]
    found: Resource = only
    return found


def environment(resources: list[Resource]) -> dict[str, str]:
    """Variables in the container's environment, limits filled in as the kubelet does."""
    return dict(_variables(container(resources)))


def _variables(of: Resource) -> Iterator[tuple[str, str]]:
    for variable in of["env"]:
        if "value" in variable:
            yield variable["name"], variable["value"]
        else:
            asked = variable["valueFrom"]["resourceFieldRef"]
            assert asked["divisor"] == "1"
            yield variable["name"], of["resources"]["limits"][asked["resource"].removeprefix("limits.")]
