"""The chart gives the objects of deploy/kubernetes, field by field."""

from typing import Any

import pytest

from tests.deploy.kubernetes.manifests import Resource, the, variant

from .charts import Helm, as_variant

OF_HELM = {
    "app.kubernetes.io/instance",  # selects too, so that two releases in a namespace are two
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}
"""Labels that the chart's objects have beside those of kustomize's."""
NOT_OF_HELM = {"Namespace"}
"""Kinds that kustomize alone makes: Helm makes the namespace by --create-namespace, before all objects."""
WITHOUT_ORDER = {"env", "volumeMounts", "volumes"}
"""Lists whose items have names, and come in whatever order."""


def compared(value: Any, key: str = "") -> Any:
    """Strip what differs on purpose."""
    if isinstance(value, dict):
        return {name: compared(item, name) for name, item in value.items() if name not in OF_HELM}
    if isinstance(value, list):
        items = [compared(item) for item in value]
        return sorted(items, key=lambda item: str(item["name"])) if key in WITHOUT_ORDER else items
    return value


def named(resources: list[Resource]) -> dict[tuple[str, str], Any]:
    """Objects by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): compared(one) for one in resources}


@pytest.mark.parametrize("name", ["cpu", "gpu", "cpu+all", "gpu+all"])
def test_the_chart_gives_what_kustomize_makes(helm: Helm, name: str) -> None:
    """Each overlay, alone and with components, but for Helm's labels and the namespace."""
    by_kustomize = [one for one in variant(name) if one["kind"] not in NOT_OF_HELM]
    by_helm = named(helm.objects(as_variant(name)))
    assert set(by_helm) == set(named(by_kustomize))
    for kind_and_name, wanted in named(by_kustomize).items():
        assert by_helm[kind_and_name] == wanted, kind_and_name


def test_defaults_leave_out_what_not_every_cluster_has(helm: Helm) -> None:
    """As they stand they make no object of an operator's kind, and ask for no adapter; the number of pods is fixed."""
    by_helm = helm.objects({})
    kinds = {one["kind"] for one in variant("cpu")}
    missing = {"ConfigMap", "HorizontalPodAutoscaler", "PrometheusRule", "ServiceMonitor", "Namespace"}
    assert {one["kind"] for one in by_helm} == kinds - missing | {"ServiceAccount"}
    assert the(by_helm, "Deployment")["spec"]["replicas"] == 2
