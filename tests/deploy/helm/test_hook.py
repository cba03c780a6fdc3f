"""What `helm test` runs, run against real servers: one in plain, one with keys, one that asks for certificates."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from bothends.model.bundle import Bundle
from bothends.server.keys import new
from tests.support.doors import serving
from tests.support.ran import ran
from tests.support.serving import BOTHENDS
from tests.support.until import TIMEOUT_S

from .charts import Helm, Values
from .objects import Resource, environment

NAME = "bothends-headless.bothends.svc"
MUTUAL: Values = {"tls": {"existingSecret": "ours", "clientCA": {"enabled": True}}}


def hook(helm: Helm, values: Values) -> Resource | None:
    """The pod that `helm test` runs."""
    made: Resource | None = yaml.safe_load(helm.template(values)["tests/answers.yaml"])
    return made


def asked(
    container: Resource, port: int, mounts: dict[str, Path], variables: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run a container's command against a server here, with folders here for its mounts."""
    target = f"{NAME}:50051"
    assert target in container["args"]
    arguments = [f"127.0.0.1:{port}" if argument == target else argument for argument in container["args"]]
    for mount in container.get("volumeMounts", []):
        index = mount["mountPath"] + "/"
        arguments = [argument.replace(index, f"{mounts[mount['name']]}/") for argument in arguments]
    given = {variable["name"]: variables[variable["name"]] for variable in container.get("env", [])}
    return ran(BOTHENDS, *arguments, timeout=TIMEOUT_S, env={**os.environ, **given})


def passes(helm: Helm, values: Values, port: int, mounts: dict[str, Path], **variables: str) -> list[str]:
    """Run the whole pod, and return its containers' names."""
    pod: Any = hook(helm, values)
    for container in pod["spec"]["containers"]:
        ended = asked(container, port, mounts, variables)
        assert ended.returncode == 0, ended.stderr
    return [container["name"] for container in pod["spec"]["containers"]]


def test_it_passes_where_the_server_answers_and_fails_where_none_does(helm: Helm, toy_bundle: Bundle) -> None:
    with serving(toy_bundle) as server:
        assert passes(helm, {}, server.port, {}) == ["health", "embed"]
    with pytest.raises(AssertionError):
        passes(helm, {}, server.port, {})


@pytest.mark.slow
def test_it_needs_a_key_to_embed(helm: Helm, toy_bundle: Bundle, tmp_path: Path) -> None:
    """Without one it asks for health alone, which needs none."""
    key, lines = new("tester")
    (tmp_path / "keys.toml").write_text(lines)
    values: dict[str, Any] = {"apiKeys": {"existingSecret": "ours"}}
    with serving(toy_bundle, api_keys=tmp_path / "keys.toml") as server:
        assert passes(helm, values, server.port, {}) == ["health"]
        with_key = {**values, "tests": {"apiKey": {"existingSecret": "tester"}}}
        assert passes(helm, with_key, server.port, {}, BOTHENDS_API_KEY=key) == ["health", "embed"]
        with pytest.raises(AssertionError, match="API key"):
            passes(helm, with_key, server.port, {}, BOTHENDS_API_KEY="another")


@pytest.mark.slow
def test_it_shows_a_certificate_where_callers_need_one(helm: Helm, toy_bundle: Bundle, tmp_path: Path) -> None:
    """The server runs by the files that the chart's environment names; without a certificate there is no such pod."""
    authority = trustme.CA()
    folders = {name: tmp_path / name for name in ("tls", "ca", "client")}
    for name in ("tls", "client"):
        folders[name].mkdir()
        issued = authority.issue_cert(NAME)
        (folders[name] / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        (folders[name] / "tls.key").write_bytes(issued.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(folders[name] / "ca.crt"))
    folders["ca"].mkdir()
    authority.cert_pem.write_to_path(str(folders["ca"] / "ca.crt"))
    assert hook(helm, MUTUAL) is None
    files: dict[str, Any] = {
        name.removeprefix("BOTHENDS_").lower(): Path(value.replace("/tls/", f"{folders['tls']}/"))
        for name, value in environment(helm.objects(MUTUAL)).items()
        if name.startswith("BOTHENDS_TLS_")
    }
    assert set(files) == {"tls_cert", "tls_key", "tls_client_ca"}
    values = {**MUTUAL, "tests": {"clientSecret": "callers"}}
    with serving(toy_bundle, **files) as server:
        assert passes(helm, values, server.port, folders) == ["health", "embed"]
