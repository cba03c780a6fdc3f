"""A pod by the chart, held to the code and the image: settings, ports, user, time to stop."""

import re

import pytest

from bothends.errors import SettingsError
from bothends.server.model_service import SUPERVISOR_ENDS_S
from bothends.server.server import LAST_BYTES_S, THREADS_END_S
from bothends.settings import ENV_PREFIX, Settings
from tests.support.paths import ROOT
from tests.support.released import version_in_file

from .charts import Helm
from .objects import Resource, container, environment, of_kind, pod

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OF_OTHERS = {"NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA", "OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Variables that libraries and NVIDIA's runtime read."""
WEB_ENDS_S = 5
"""Most seconds that WebServer.stop waits."""


def settings(resources: list[Resource]) -> Settings:
    return Settings.load({}, environment(resources))


def test_the_environment_is_settings(resources: list[Resource]) -> None:
    """Each variable has a name that the server knows and a value that it takes, and none is another program's."""
    chosen = settings(resources)
    others = {name for name in environment(resources) if not name.startswith(ENV_PREFIX)}
    assert others <= OF_OTHERS
    assert chosen.tracing == ("OTEL_EXPORTER_OTLP_ENDPOINT" in others)


def test_a_cpu_pod_computes_as_much_at_once_as_it_has_cpus(helm: Helm) -> None:
    """A pod's limit counts, not the node's cores; all of them are its own."""
    pods = helm.variant("cpu")
    resources = container(pods)["resources"]
    assert settings(pods).workers == int(resources["limits"]["cpu"])
    assert resources["limits"] == resources["requests"]


def test_a_gpu_pod_computes_on_its_one_gpu_or_not_at_all(helm: Helm) -> None:
    pods = helm.variant("gpu")
    assert container(pods)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert settings(pods).device == "cuda"


@pytest.mark.parametrize(("name", "suffix"), [("cpu", ""), ("gpu", "-gpu")])
def test_the_image_is_this_version(helm: Helm, name: str, suffix: str) -> None:
    assert container(helm.variant(name))["image"] == f"bothends:{version_in_file()}{suffix}"


def test_ports_are_the_servers_own(resources: list[Resource]) -> None:
    """The container, each Service and the policy name the server's ports; the policy lets nobody to that of health."""
    chosen = settings(resources)
    ports = {"grpc": chosen.port, "http": chosen.http_port, "health": chosen.health_port}
    assert {port["name"]: port["containerPort"] for port in container(resources)["ports"]} == ports
    for service in of_kind(resources, "Service"):
        for port in service["spec"]["ports"]:
            assert (port["port"], port["targetPort"]) == (ports[port["name"]], port["name"])
    let_in = [
        port["port"]
        for policy in of_kind(resources, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", ())
        for port in rule["ports"]
    ]
    assert sorted(let_in) == sorted([chosen.port, chosen.http_port])


def test_clients_find_each_pod_by_name_and_proxies_find_one_address(resources: list[Resource]) -> None:
    """DNS names ready pods only; it could be made to name the others too."""
    services = {service["metadata"]["name"]: service["spec"] for service in of_kind(resources, "Service")}
    assert set(services) == {"bothends", "bothends-headless"}
    assert services["bothends-headless"]["clusterIP"] == "None"
    assert not services["bothends-headless"].get("publishNotReadyAddresses")
    assert {port["name"] for port in services["bothends-headless"]["ports"]} == {"grpc"}
    assert "clusterIP" not in services["bothends"]


def test_services_variables_would_stop_the_server(resources: list[Resource]) -> None:
    """Pods don't get the variables of Services, which the server would refuse."""
    for service in of_kind(resources, "Service"):
        injected = service["metadata"]["name"].upper().replace("-", "_") + "_PORT"
        with pytest.raises(SettingsError, match=injected):
            Settings.load({}, {injected: "tcp://10.0.0.1:8080"})
    assert pod(resources)["enableServiceLinks"] is False


def test_the_user_is_the_images_own(resources: list[Resource]) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user is not None
    context = pod(resources)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))


def test_pods_are_as_restricted_as_kubernetes_knows(resources: list[Resource]) -> None:
    """Pods meet the Pod Security Standard `restricted`, write no root filesystem, and don't talk to the API."""
    of_pod, of_container = pod(resources)["securityContext"], container(resources)["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod(resources)["automountServiceAccountToken"] is False
    assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"}.isdisjoint(pod(resources))
    volumes = pod(resources).get("volumes", [])
    assert all({"secret", "persistentVolumeClaim"} & set(volume) for volume in volumes)
    assert all(mount["readOnly"] for mount in container(resources).get("volumeMounts", []))


def test_a_pod_has_the_time_that_stopping_takes(resources: list[Resource]) -> None:
    """A pod may take preStop, the drain, and the longest of each later step of Server.stop; else it is killed."""
    chosen = settings(resources)
    assert chosen.drain_s == Settings.model_fields["drain_s"].default
    before = container(resources)["lifecycle"]["preStop"]["sleep"]["seconds"]
    gone = 3 * THREADS_END_S + SUPERVISOR_ENDS_S + WEB_ENDS_S
    headroom_s = 10
    least = before + chosen.drain_s + LAST_BYTES_S + gone + headroom_s
    assert pod(resources)["terminationGracePeriodSeconds"] >= least
