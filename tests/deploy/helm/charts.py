"""Renders the chart by Helm's library, with values for each way in which it may be put together."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from tests.support.paths import ROOT

from .objects import Resource

CHART = ROOT / "deploy" / "helm" / "bothends"
LIBRARY = Path(sys.prefix) / "helm"
Values: TypeAlias = Mapping[str, Any]

ON = {"enabled": True}
WHOLE: Values = {"autoscaling": ON, "serviceMonitor": ON, "prometheusRule": ON, "dashboards": ON}
"""What the chart's defaults leave out, since it needs parts that not every cluster has."""
CHOSEN: Mapping[str, Values] = {
    "bundle": {"models": [{"volume": {"persistentVolumeClaim": {"claimName": "bothends-bundle", "readOnly": True}}}]},
    "keys": {"apiKeys": {"existingSecret": "bothends-keys"}},
    "tls": {"tls": {"existingSecret": "bothends-tls"}},
    "tracing": {"tracing": ON},
}
"""What not everybody wants, by its name in VARIANTS."""
ALL_CHOSEN: Values = {key: value for values in CHOSEN.values() for key, value in values.items()}
VARIANTS: Mapping[str, Values] = {
    "cpu": WHOLE,
    "gpu": {**WHOLE, "gpu": ON},
    **{f"cpu+{name}": {**WHOLE, **values} for name, values in CHOSEN.items()},
    "cpu+all": {**WHOLE, **ALL_CHOSEN},
    "gpu+all": {**WHOLE, "gpu": ON, **ALL_CHOSEN},
}
EVERYTHING: Values = {
    **WHOLE,
    **ALL_CHOSEN,
    "fullnameOverride": "embeddings",
    "commonLabels": {"team": "search"},
    "image": {
        "repository": "registry.example/bothends",
        "digest": f"sha256:{'0' * 64}",
        "pullPolicy": "Always",
        "pullSecrets": [{"name": "registry"}],
    },
    "settings": {
        "max_message_bytes": 4194304,
        "model_alias": ["small", "large"],
        "metrics": "keys",
        "age_s": None,
    },
    "extraArgs": ["--log-level", "debug"],
    "models": [
        {"name": "english"},
        {
            "name": "old",
            "volume": {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
            "path": "/infersent/",
            "settings": {"precision": "bf16", "max_batch_tokens": 2097152},
        },
        {
            "name": "older",
            "volume": {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
            "path": "a/b",
        },
        {"name": "Medical_2", "volume": {"nfs": {"server": "files.example", "path": "/models"}}},
    ],
    "tls": {"existingSecret": "bothends-tls", "clientCA": {"enabled": True, "existingSecret": "callers"}},
    "service": {
        "type": "LoadBalancer",
        "annotations": {"a": "b"},
        "ports": {"grpc": 443, "http": 80},
        "headless": {"annotations": {"c": "d"}},
    },
    "networkPolicy": {
        "extraIngress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        "extraEgress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    },
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "watching"},
        "scrapeTimeout": "5s",
        "authorization": {"credentials": {"name": "scraper", "key": "key"}},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "labeldrop", "regex": "container"}],
    },
    "prometheusRule": {"enabled": True, "labels": {"release": "watching"}, "runbookUrl": "https://runbooks.example/b"},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Search"}, "namespace": "grafana"},
    "serviceAccount": {"create": True, "annotations": {"e": "f"}},
    "podAnnotations": {"g": "h"},
    "podLabels": {"i": "j"},
    "terminationGracePeriodSeconds": 90,
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "embeddings", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "extraEnv": [{"name": "GRPC_VERBOSITY", "value": "ERROR"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "initContainers": [{"name": "fetch", "image": "fetch:1"}],
    "extraContainers": [{"name": "beside", "image": "beside:1"}],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}],
    "tests": {"apiKey": {"existingSecret": "caller"}, "clientSecret": "caller-tls"},
}
"""Something for every value, so that each template's every branch is rendered."""


class Refused(Exception):  # noqa: N818  what Helm says to the person who installs
    """Helm took the values for wrong, or a template failed."""


class Helm:
    """Helm's library, in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._variants: dict[str, list[Resource]] = {}

    def ask(self, question: str, **given: object) -> Any:
        """Raises Refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([question, given]), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise Refused(answer["error"])
        return answer

    def template(self, values: Values, release: str = "bothends", namespace: str = "bothends") -> dict[str, str]:
        """Texts by their templates' names."""
        found: dict[str, str] = self.ask("render", values=values, release=release, namespace=namespace)
        return found

    def objects(self, values: Values, release: str = "bothends") -> list[Resource]:
        """What is applied at an installation."""
        texts = self.template(values, release)
        return [made for name, text in texts.items() if is_applied(name) for made in yaml.safe_load_all(text) if made]

    def variant(self, name: str) -> list[Resource]:
        """Objects by the values of VARIANTS, rendered once."""
        if name not in self._variants:
            self._variants[name] = self.objects(VARIANTS[name])
        return self._variants[name]


def is_applied(name: str) -> bool:
    """Return whether a template's text is applied at an installation: neither for people nor for `helm test`."""
    return name.endswith(".yaml") and not name.startswith("tests/")


@contextmanager
def running() -> Iterator[Helm]:
    """Start Helm's library, or skip where it isn't installed."""
    if not (LIBRARY / "helm_python").exists():
        pytest.skip("Helm's library is missing: make .venv/.helm, which has it for Linux on x86-64")
    command: list[str | Path] = [sys.executable, Path(__file__).parent / "renderer.py", CHART]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        yield Helm(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
