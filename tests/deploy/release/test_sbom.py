"""Bills of materials: valid by CycloneDX's own schema, in wheels that pip still installs, and of environments."""

import base64
import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.support.released import run

ABOUT = "bothends_native-1.2.3.dist-info"
BILL = f"{ABOUT}/sboms/bothends-native.cdx.json"
LINKED = ["openssl 3.5.9", "nghttp2 1.70.0", "llhttp 9.4.3", "yyjson 0.12.0", "zlib 1.3.2"]


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """Headers of what is linked in, as far as they tell versions."""
    headers = {
        "openssl/opensslv.h": '# define OPENSSL_VERSION_STR "3.5.9"\n# define OPENSSL_FULL_VERSION_STR "3.5.9"\n',
        "nghttp2/nghttp2ver.h": '#define NGHTTP2_VERSION "1.70.0"\n#define NGHTTP2_VERSION_NUM 0x014600\n',
        "llhttp.h": "".join(
            f"#define LLHTTP_VERSION_{part} {n}\n" for part, n in (("MAJOR", 9), ("MINOR", 4), ("PATCH", 3))
        ),
        "yyjson.h": '#define YYJSON_VERSION_STRING "0.12.0"\n',
        "zlib.h": '#define ZLIB_VERSION "1.3.2"\n',
    }
    for name, text in headers.items():
        (tmp_path / "include" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "include" / name).write_text(text)
    return tmp_path / "include"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of one module."""
    path = tmp_path / "bothends_native-1.2.3-py3-none-any.whl"
    about = "Metadata-Version: 2.4\nName: bothends_native\nVersion: 1.2.3\nLicense-Expression: Apache-2.0\n"
    with ZipFile(path, "w") as archive:
        archive.mkdir("bothends_native")
        archive.writestr("bothends_native/__init__.py", "")
        archive.writestr(f"{ABOUT}/METADATA", about)
        archive.writestr(f"{ABOUT}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{ABOUT}/RECORD", "")
    return path


def components(bill: bytes) -> list[str]:
    """Names and versions in a bill, which is valid."""
    from cyclonedx.schema import SchemaVersion  # a second and more, which collecting tests needn't take
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.decode()) is None
    found: dict[str, Any] = json.loads(bill)
    return [f"{each['name']} {each['version']}" for each in found["components"]]


def test_a_wheel_tells_what_is_linked_into_it(wheel: Path, include: Path) -> None:
    """Once for however often it is put there; RECORD has the hash of each file, and has no folder."""
    for _ in range(2):
        assert run("sbom.py", "wheel", wheel, include).returncode == 0
        with ZipFile(wheel) as archive:
            assert components(archive.read(BILL)) == LINKED
            subject = json.loads(archive.read(BILL))["metadata"]["component"]
            assert subject["purl"] == "pkg:pypi/bothends-native@1.2.3"
            rows = {row[0]: row[1] for row in csv.reader(archive.read(f"{ABOUT}/RECORD").decode().splitlines())}
            assert sorted(rows) == sorted(archive.namelist())
            assert not [name for name in rows if name.endswith("/")]
            for name, digest in rows.items():
                found = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).decode().rstrip("=")
                assert digest == ("" if name.endswith("/RECORD") else f"sha256={found}")


def test_a_wheel_of_python_alone_has_nothing_linked_in(wheel: Path) -> None:
    assert run("sbom.py", "wheel", wheel).returncode == 0
    with ZipFile(wheel) as archive:
        assert components(archive.read(BILL)) == []


def test_a_header_without_its_version_is_an_error(wheel: Path, include: Path) -> None:
    """Else a bill would leave a library out whose weaknesses someone looks for."""
    (include / "zlib.h").write_text("#define ZLIB_VERSION_STRING\n")
    assert "zlib.h doesn't tell its version" in run("sbom.py", "wheel", wheel, include).stderr
    with ZipFile(wheel) as archive:
        assert BILL not in archive.namelist()


def test_an_environment_tells_what_is_installed_and_what_that_tells(tmp_path: Path, wheel: Path, include: Path) -> None:
    """pip installs the wheel by its RECORD; the environment's bill has the wheel's libraries too."""
    run("sbom.py", "wheel", wheel, include)
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    install = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(
        [sys.executable, "-m", "pip", *install], check=True, env=os.environ | {"PIP_CONFIG_FILE": os.devnull}
    )
    told = run("sbom.py", "environment", tmp_path)
    assert sorted(components(told.stdout.encode())) == sorted(["bothends-native 1.2.3", *LINKED])
