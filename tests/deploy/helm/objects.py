"""Looks into objects that the chart makes."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

OF_THE_OPERATOR = {"ServiceMonitor", "PrometheusRule"}
"""Kinds that Prometheus' operator brings."""

Resource: TypeAlias = Mapping[str, Any]


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
