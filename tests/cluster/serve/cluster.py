"""A Ray cluster of one node with our application on it, started as a user starts it: `serve run bothends.ray:app`.

It starts, waits and asks; what ought to be true stands in the tests.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.paths import ROOT
from tests.support.until import TIMEOUT_S as TIMEOUT_S  # noqa: PLC0414  its own modules take it from here

SERVE = Path(sys.executable).parent / "serve"
EXAMPLE = ROOT / "deploy" / "ray" / "serve.yaml"
PORTS = 20051, 20080
"""Free ports, below those that the system gives where any will do: Ray asks for many."""
_DASHBOARD = "http://127.0.0.1:8265"


class Said:
    """A command that runs, and its output."""

    def __init__(self, *command: str | Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def until(self, words: str, max_wait_s: float = TIMEOUT_S) -> None:
        """Wait until its output has `words`."""
        with self._grown:
            self._grown.wait_for(lambda: words in self.text or not self._reader.is_alive(), max_wait_s)
        assert words in self.text, self.text

    def ends(self) -> int:
        """Wait for its end; return its exit code."""
        code = self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                self.lines.append(line)
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()


class Cluster:
    """A cluster that runs until it is stopped. `settings` are BOTHENDS_* without that; `arguments` are Ray's."""

    def __init__(self, arguments: Mapping[str, object], **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="serve-", dir="/tmp"))  # a socket's path is short
        self.port, self.http_port = PORTS
        self.target, self.url = f"127.0.0.1:{self.port}", f"http://127.0.0.1:{self.http_port}"
        self.environment = os.environ | {
            "RAY_TMPDIR": str(self.folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(100 << 20),
            "BOTHENDS_PORT": str(self.port),
            "BOTHENDS_HTTP_PORT": str(self.http_port),
        }
        self.arguments = dict(arguments)
        self.settings = settings
        self.first = self.serve(**settings)
        self.first.until("is ready at", max_wait_s=110)  # on a busy machine Ray takes as long

    def serve(self, *flags: str, arguments: Mapping[str, object] | None = None, **settings: object) -> Said:
        """Run `serve run` once more."""
        ours = {f"BOTHENDS_{name.upper()}": str(value) for name, value in settings.items()}
        given = [f"{name}={value}" for name, value in (arguments or self.arguments).items()]
        command: list[str | Path] = [SERVE, "run", *flags, "bothends.ray:app", *given]
        return Said(*command, environment=self.environment | ours)

    def deploy(self, options: Mapping[str, object] | None = None, **settings: object) -> None:
        """Deploy the example of deploy/ray with other settings, by `serve deploy`; `options` are the deployment's."""
        config = yaml.safe_load(EXAMPLE.read_text())
        application = config["applications"][0]
        ours = {f"BOTHENDS_{name.upper()}": str(value) for name, value in {**self.settings, **settings}.items()}
        application["args"] = self.arguments
        application["runtime_env"]["env_vars"] |= ours
        application["deployments"] = [{"name": "bothends", **(options or {})}]
        config["http_options"]["port"], config["grpc_options"]["port"] = self.http_port, self.port
        file = self.folder / "serve.yaml"
        file.write_text(yaml.safe_dump(config))
        said = Said(SERVE, "deploy", file, environment=self.environment)
        assert said.ends() == 0, said.text

    def status(self) -> tuple[str, str]:
        """State of the application by Ray, in a word, and its reasons."""
        request = urllib.request.Request(f"{_DASHBOARD}/api/serve/applications/")  # noqa: S310  of Ray's own
        request.add_header("Authorization", f"Bearer {self.environment['RAY_AUTH_TOKEN']}")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as page:  # noqa: S310
            found = json.load(page)["applications"]["default"]
        return found["status"], found["message"] + found["deployments"].get("bothends", {}).get("message", "")

    def targets(self) -> list[dict[str, Any]]:
        """Targets that Prometheus would get to scrape."""
        found: list[dict[str, Any]] = json.loads(get(f"{self.url}/targets"))
        return found

    def counted(self, name: str, **labels: str) -> dict[str, float]:
        """Sum of a replica's samples of `name`, for each replica that can be scraped."""
        found = {}
        for target in self.targets():
            with suppress(urllib.error.URLError):
                families = list(text_string_to_metric_families(get(f"http://{target['targets'][0]}/metrics")))
                found[target["labels"]["replica"]] = sum(
                    sample.value
                    for family in families
                    for sample in family.samples
                    if sample.name == name and labels.items() <= sample.labels.items()
                )
        return found

    def stop(self) -> None:
        """End all that `serve run` started; what is left ends with the namespace."""
        self.first.process.terminate()
        self.first.ends()
        shutil.rmtree(self.folder, ignore_errors=True)


def replicas() -> list[int]:
    """Process ids of the replicas."""
    commands = {int(entry.name): entry / "cmdline" for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    return [number for number, file in commands.items() if "ray::ServeReplica" in _read(file)]


def get(url: str) -> str:
    """Fetch a page's text."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as page:  # noqa: S310  our own server's
        text: str = page.read().decode()
    return text


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it has ended meanwhile
        return ""
