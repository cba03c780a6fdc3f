"""One compose project of a name of its own on ports of its own: started, asked, and removed.

What ought to be true stands in the tests.
"""

import json
import os
import subprocess
import uuid
from typing import Any

from tests.support.paths import ROOT

ENGINE = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith("DOCKER_")}


def docker(*arguments: str, check: bool = True, environment: dict[str, str] | None = None) -> str:
    """Run a docker command, and return its standard output."""
    given: dict[str, Any] = {"cwd": ROOT, "env": ENGINE | (environment or {}), "capture_output": True, "timeout": 570}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["docker", *arguments],  # noqa: S607  where the engine's client is, is the machine's business
        text=True,
        check=False,
        **given,
    )
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr[-3000:]}")
    return done.stdout


class Stack:
    """A compose project. `environment` are the variables of .env.example; a developer's own .env is not read."""

    def __init__(self, **environment: str) -> None:
        self.project = f"bothends-test-{uuid.uuid4().hex[:8]}"
        ports = dict.fromkeys(
            ("EMBEDDER_PORT", "EMBEDDER_HTTP_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT"), "0"
        )
        images = {f"{name}_IMAGE": f"{self.project}:{name.lower()}" for name in ("EMBEDDER", "GATEWAY")}
        self.environment = ports | images | environment
        self.healthy_after_s: float | None = None

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run `docker compose …`, and return its standard output."""
        command = ("compose", "--project-name", self.project, "--env-file", os.devnull, "--progress", "quiet")
        return docker(*command, *arguments, check=check, environment=self.environment)

    def up(self, *arguments: str) -> None:
        """Start it and wait until it is healthy. Raises RuntimeError where it doesn't become so."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "180", *arguments)

    def remove(self, *, images: bool) -> None:
        """Remove all but the engine's build cache."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        if images:
            docker("image", "rm", "--force", self.environment["EMBEDDER_IMAGE"], self.environment["GATEWAY_IMAGE"])

    def address(self, service: str, port: int) -> str:
        """Find host:port where a service's port is published."""
        return self.compose("port", service, str(port)).strip()

    def containers(self, service: str) -> list[str]:
        """The identifiers of a service's containers, stopped ones too."""
        return self.compose("ps", "--all", "--quiet", service).split()


def inspect(container: str) -> dict[str, Any]:
    """Read all that the engine knows of a container."""
    (found,) = json.loads(docker("container", "inspect", container))
    return dict(found)


def run_inside(container: str, *command: str) -> str:
    """Run a command inside of a container, and return its output. Raises RuntimeError where it fails."""
    return docker("exec", container, *command)


def python_inside(container: str, code: str) -> str:
    """Run Python code inside of an embedder, and return its output."""
    return run_inside(container, "python", "-c", code).strip()


def metrics(embedder: str) -> list[str]:
    """Lines of an embedder's own metrics page."""
    code = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    return python_inside(embedder, code).splitlines()


def metric(embedder: str, line: str) -> float:
    """A sample of an embedder's own metrics page, by the name and labels that its line begins with."""
    return next(float(row.rpartition(" ")[2]) for row in metrics(embedder) if row.startswith(line + " "))


def provider(embedder: str) -> str:
    """Name of the engine in an embedder, as its metrics page has it."""
    (line,) = [row for row in metrics(embedder) if row.startswith("bothends_model_info{")]
    return line.partition('provider="')[2].partition('"')[0]
