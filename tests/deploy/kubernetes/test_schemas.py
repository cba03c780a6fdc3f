"""Every resource fits Kubernetes' published schemas, strictly, and they fit each other."""

import kubernetes_validate
import pytest
import yaml

from .manifests import FOLDER, OF_THE_OPERATOR, Resource, of_kind, pod, the

VERSIONS = ["1.30", kubernetes_validate.latest_version()]
"""Versions of Kubernetes, from the first in which a pod may sleep before it stops without its image's help."""
BASE = [
    resource
    for file in sorted((FOLDER / "base").glob("*.yml"))
    if file.name != "kustomization.yml"
    for resource in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_applied_fits_the_schemas(resources: list[Resource], version: str) -> None:
    """All fit but the operator's own kinds, of which the published schemas know nothing."""
    known = [resource for resource in resources if resource["kind"] not in OF_THE_OPERATOR]
    assert len(known) >= len(resources) - len(OF_THE_OPERATOR)
    for resource in known:
        kubernetes_validate.validate(dict(resource), version, strict=True)


@pytest.mark.parametrize("resource", BASE, ids=lambda resource: f"{resource['kind']} {resource['metadata']['name']}")
def test_the_base_fits_the_newest_schema(resource: Resource) -> None:
    """The base fits as it is written, which needs no kustomize."""
    kubernetes_validate.validate(dict(resource), VERSIONS[-1], strict=True)


def test_the_operators_kinds_have_what_they_need(resources: list[Resource]) -> None:
    """Schemas of these kinds come with the operator; they require little of these."""
    monitor, rules = the(resources, "ServiceMonitor"), the(resources, "PrometheusRule")
    assert {monitor["apiVersion"], rules["apiVersion"]} == {"monitoring.coreos.com/v1"}
    assert set(monitor["spec"]) == {"endpoints", "jobLabel", "selector"}
    assert set(rules["spec"]) == {"groups"}


def test_each_resource_has_a_name_of_its_own_in_the_one_namespace(resources: list[Resource]) -> None:
    names = [(resource["kind"], resource["metadata"]["name"]) for resource in resources]
    assert len(names) == len(set(names))
    namespace = the(resources, "Namespace")["metadata"]["name"]
    assert {resource["metadata"].get("namespace", namespace) for resource in resources} == {namespace}


def test_every_selector_finds_the_pods(resources: list[Resource]) -> None:
    """Services, budget, policies, the deployment and what spreads its pods select them."""
    labels = the(resources, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        *(service["spec"]["selector"] for service in of_kind(resources, "Service")),
        *(policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(resources, "NetworkPolicy")),
        *(the(resources, kind)["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")),
        *(spread["labelSelector"]["matchLabels"] for spread in pod(resources)["topologySpreadConstraints"]),
    ]
    assert selectors == [labels] * len(selectors)


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
