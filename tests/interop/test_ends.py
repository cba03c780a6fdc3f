"""The oldest packages that pyproject.toml allows do, as the newest do, with which all other tests run."""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from bothends import Encoder
from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.until import TIMEOUT_S

from .asked import SENTENCES

OLDEST = Path(sys.prefix) / "oldest" / "bin" / "python"
ASKED = SENTENCES[:40]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RANGES = {
    asked.name: asked.specifier
    for asked in map(Requirement, [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["server"]])
}


@pytest.mark.slow
def test_the_oldest_packages_serve_and_call() -> None:
    """A server and every kind of client on protobuf 5 and the grpcio of its day: the same rows."""
    if not OLDEST.exists():
        pytest.skip(f"{OLDEST} is missing; `make test-slow` installs the oldest packages there, where they have wheels")
    done = ran(OLDEST, "-I", ROOT / "tests" / "clients" / "oldest.py", input=json.dumps(ASKED), timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with Encoder.load(device="cpu") as encoder:
        expected = encoder.encode(ASKED)
    for way, rows in found["rows"].items():
        assert np.abs(np.array(rows, np.float32) - expected).max() < 1e-5, way
    assert found["refused"] == "sentences[1] is empty; a sentence needs at least one word"
    assert found["model"] == "english"
    assert found["answered"]
    lowest = {name: version for name, version in found["versions"].items() if name in RANGES}
    assert {name: f">={version}" for name, version in lowest.items()} == {
        name: str(next(part for part in RANGES[name] if part.operator == ">=")) for name in lowest
    }
    assert len(lowest) == 5


def test_generated_code_asks_for_no_version_of_protobuf() -> None:
    """protobuf refuses code of a newer protoc than itself, and stubs refuse an older grpcio: the oldest must do."""
    generated = sorted((ROOT / "service" / "bothends").rglob("*_pb2*.py"))
    assert generated
    oldest = Version(next(part.version for part in RANGES["grpcio"] if part.operator == ">="))
    for file in generated:
        text = file.read_text()
        assert "ValidateProtobufRuntimeVersion" not in text, file
        if file.name.endswith("_grpc.py"):
            (version,) = re.findall(r"^GRPC_GENERATED_VERSION = '(.+)'$", text, re.MULTILINE)
            assert Version(version) <= oldest, file
