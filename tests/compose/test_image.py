"""Contents of the image, and rights of its containers."""

import re

import pytest

from .conftest import IMAGE_LIMIT_BYTES, size_without_base
from .stack import Stack, docker, inspect, python_inside, run_inside

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]

SERVICES = ["embedder", "gateway", "prometheus", "alertmanager", "grafana"]


def test_the_image_is_small(stack: Stack, figures: dict[str, str]) -> None:
    size = size_without_base(stack.environment["EMBEDDER_IMAGE"], "python:3.13-slim")
    figures["image without its base"] = f"{size / 1e6:.0f} MB"
    assert size <= IMAGE_LIMIT_BYTES


def test_the_image_holds_what_serving_needs_and_no_more(stack: Stack) -> None:
    """No torch, onnx, pip, compiler or others' tests are in it; bytecode is, which can't come later."""
    (embedder,) = stack.containers("embedder")
    code = (
        "import importlib.util, pathlib, shutil, sys; root = pathlib.Path(sys.prefix);"
        "print([name for name in ('torch', 'onnx', 'pip', 'nanobind') if importlib.util.find_spec(name)],"
        " [name for name in ('cc', 'c++', 'gcc', 'g++', 'ld', 'make', 'cmake', 'ninja') if shutil.which(name)],"
        " [path.name for path in root.rglob('tests') if path.is_dir()],"
        " any(root.rglob('bothends/cli/__pycache__/main.*.pyc')))"
    )
    assert python_inside(embedder, code) == "[] [] [] True"


def test_the_image_holds_no_secret(stack: Stack) -> None:
    """No history, environment file or key is in it: neither the build's commands nor what they left behind."""
    made_by = docker(
        "image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", stack.environment["EMBEDDER_IMAGE"]
    )
    assert "bothends" in made_by
    assert not re.search(r"password|passwd|secret|token|api.?key|://[^/ ]*@", made_by, re.IGNORECASE)
    (embedder,) = stack.containers("embedder")
    code = (
        "import pathlib; names = {'.env', '.netrc', '.pypirc', '.git-credentials', 'id_rsa', 'id_ed25519'};"
        "tops = [pathlib.Path('/', top) for top in ('root', 'home', 'opt', 'src', 'tmp')];"
        "found = [path for top in tops for path in top.rglob('*')];"
        "print([str(path) for path in found if path.name in names or path.name.endswith('_history')], len(found) > 100)"
    )
    assert docker("exec", "--user", "0", embedder, "python", "-c", code).strip() == "[] True"


def test_it_is_healthy_soon(stack: Stack) -> None:
    """A container is loaded, proved and asked for its health within seconds."""
    assert stack.healthy_after_s is not None
    assert stack.healthy_after_s < 30


def test_its_logs_warn_of_nothing(stack: Stack) -> None:
    """A read-only root, no home and no privileges are no trouble; no package tries to report usage to its maker."""
    log = stack.compose("logs", "--no-log-prefix", "embedder")
    assert "golden sentences are within" in log
    for word in ("WARNING", "telemetry", "Traceback", "Error"):
        assert word not in log


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_do_nothing_that_it_need_not(stack: Stack, service: str) -> None:
    """No root, no capability, no way to new ones, no writing but in its volumes, and no more than its share."""
    (container,) = stack.containers(service)
    status = dict(line.split(":", 1) for line in run_inside(container, "cat", "/proc/1/status").splitlines())
    assert "0" not in status["Uid"].split()
    assert {value.strip() for name, value in status.items() if name.startswith("Cap")} == {"0" * 16}
    assert int(status["NoNewPrivs"]) == 1
    limits = inspect(container)["HostConfig"]
    assert limits["Memory"] > 0
    assert limits["NanoCpus"] > 0
    assert limits["PidsLimit"] > 0
    mounts = [line.split() for line in run_inside(container, "cat", "/proc/1/mounts").splitlines()]
    (options,) = [mount[3].split(",") for mount in mounts if mount[1] == "/"]
    assert "ro" in options
    with pytest.raises(RuntimeError, match="Read-only file system"):
        run_inside(container, "sh", "-c", "echo > /written")


@pytest.mark.parametrize(("service", "port"), [("gateway", 50051), ("prometheus", 9090), ("grafana", 3000)])
def test_ports_are_published_on_this_machine_only(stack: Stack, service: str, port: int) -> None:
    assert stack.address(service, port).startswith("127.0.0.1:")
