"""Extras of the package: an engine comes with those that are named for one, so that no two overwrite each other."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
WITH_ENGINE = {"cpu", "gpu", "gpu-cuda12", "native"}
FOR_OURSELVES = {"bench", "lock", "test", "test-full"}
"""Extras of who works on the project, on a CPU."""


def onnxruntimes(*extras: str) -> list[Requirement]:
    """Requirements of the package by onnxruntime's two names, with `extras`."""
    wanted = [text for extra in extras for text in EXTRAS[extra]]
    found: list[Requirement] = []
    while wanted:
        requirement = Requirement(wanted.pop())
        if requirement.name == "bothends":
            wanted += [text for extra in requirement.extras for text in EXTRAS[extra]]
        elif requirement.name in ("onnxruntime", "onnxruntime-gpu"):
            found.append(requirement)
    return found


@pytest.mark.parametrize("engine", ["cpu", "gpu", "gpu-cuda12"])
def test_any_extra_beside_an_engine_brings_no_other(engine: str) -> None:
    """onnxruntime and onnxruntime-gpu are one package: `bothends[ray,gpu]` with both would compute on a CPU."""
    others = set(EXTRAS) - WITH_ENGINE - FOR_OURSELVES
    assert {"ray", "export", "import", "train", "sklearn"} <= others
    assert len({requirement.name for requirement in onnxruntimes(*others, engine)}) == 1
    assert not onnxruntimes(*others)


@pytest.mark.parametrize(
    ("extra", "versions"),
    [
        ("gpu", {"1.22.0": False, "1.26.0": False, "1.27.0": False, "1.28.0": True, "1.31.1": True}),
        ("gpu-cuda12", {"1.21.1": False, "1.22.0": True, "1.26.0": True, "1.27.0": False, "1.28.0": False}),
    ],
)
def test_a_gpus_extra_is_of_one_cuda(extra: str, versions: dict[str, bool]) -> None:
    """onnxruntime-gpu is built for CUDA 12 up to 1.26, for 13 from 1.28 on; the extras of 1.27 can't be installed."""
    (requirement,) = onnxruntimes(extra)
    assert {version: requirement.specifier.contains(version) for version in versions} == versions
    assert requirement.extras == {"cuda", "cudnn"}


@pytest.mark.parametrize("file", ["docker-compose.gpu.yml", "deploy/helm/bothends/values.yaml"])
def test_containers_ask_for_a_driver_of_the_images_cuda(file: str) -> None:
    """NVIDIA's runtime refuses an older driver than the locked onnxruntime-gpu's CUDA 13 needs."""
    locked = re.search(r"^onnxruntime-gpu==(\S+)", (ROOT / "deploy/locks/gpu.txt").read_text(), re.MULTILINE)
    assert locked is not None
    assert onnxruntimes("gpu")[0].specifier.contains(locked[1])
    assert re.findall(r'(?:NVIDIA_REQUIRE_CUDA|requireCuda): "?cuda>=([\d.]+)', (ROOT / file).read_text()) == ["13.0"]
