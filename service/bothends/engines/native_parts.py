"""Explains what an installation without parts of bothends-native costs, in figures of the benchmark, and how to get
them.

The figures are in speeds.json beside this file, which `make bench ARGS="--bars --docs"` writes.
"""

import json
import platform
import shlex
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from ..native_version import misfit

Part = Literal["engine", "transport"]
"""A part of bothends-native: "engine" computes, "transport" speaks gRPC and HTTP."""
_LIBRARIES = "libssl-dev zlib1g-dev"
"""Debian's packages with the headers that the transport is built with."""
_PACKAGES: dict[Part, str] = {"engine": f"g++ python3-dev {_LIBRARIES}", "transport": _LIBRARIES}
"""Debian packages that a clone needs for the missing part. Without the engine there is no transport either."""
_WORTH_A_FRACTION = 2.5
"""Ratio from which on a fraction with 1 above says it shortly: 1/3 and less."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Sentences a second, as measured by the benchmark."""

    machine: str
    """Day, processor and number of cores of the measurement."""
    callers: int
    """Number of callers of the servers, each of one sentence at a time."""
    native: float
    """Rate of a server with both native parts, in float32."""
    grpcio: float
    """Rate of a server with the native engine, but on grpcio."""
    onnxruntime: float
    """Rate of a server on onnxruntime and grpcio, with neither part."""
    native_alone: float
    """Rate of the native engine in float32 with no server around it, on all cores."""
    onnxruntime_alone: float
    """Rate of onnxruntime likewise."""

    @classmethod
    @cache
    def of_record(cls) -> Self:
        """Read the benchmark's record."""
        return cls(**json.loads((files(__package__) / "speeds.json").read_bytes()))

    def served(self, missing: Part) -> str:
        """Compare a server without that part with a complete one: "1/8 of the sentences …"."""
        here = self.grpcio if missing == "transport" else self.onnxruntime
        return (
            f"{_share(here, self.native)} of the sentences that the native parts do "
            f"({here:,.0f} a second in place of {self.native:,.0f}, {self.callers} callers)"
        )

    def computed(self) -> str:
        """Compare onnxruntime in this process with the native engine."""
        return (
            f"{_share(self.onnxruntime_alone, self.native_alone)} of the sentences that the native engine does "
            f"(with the packaged model {self.onnxruntime_alone:,.0f} a second in place of {self.native_alone:,.0f})"
        )


def remedy(missing: Part) -> str:
    """Return the command that installs the missing part, according to how bothends was installed (clone or index).

    If bothends-native is there in another version, the command leaves out what must have been there to install it.
    """
    if misfit() is not None:
        return _renewal()
    if missing == "transport" and sys.platform != "linux":
        return "serve on Linux, as in a container; the native transport needs epoll"
    if _is_clone(Path(__file__).resolve().parents[3]):
        return f"{_packages(missing)} && make native"
    again = "--force-reinstall --no-cache-dir " if missing == "transport" else ""
    if (folder := _installed_from()) is not None:
        return f"{_packages(missing)} && pip install {again}{shlex.quote(str(folder / 'native'))}"
    # A wheel has both parts, and `bothends[cpu]` brings it; beside `bothends[gpu]` that would be a second onnxruntime.
    wanted = f"pip install {again}bothends-native=={version('bothends')}"
    if missing == "transport":
        return f"{_packages(missing)} && {wanted}"
    return wanted if _has_wheel() else f"{wanted}, which needs a C++ compiler here"


def _renewal() -> str:
    """Return the command that installs bothends-native in the version of bothends, if another version is installed."""
    if _is_clone(Path(__file__).resolve().parents[3]):
        return "make native"
    folder = _installed_from()
    source = f"bothends-native=={version('bothends')}" if folder is None else shlex.quote(str(folder / "native"))
    return f"pip install {source}"


def _packages(missing: Part) -> str:
    return "xcode-select --install" if sys.platform == "darwin" else f"apt install {_PACKAGES[missing]}"


def _has_wheel() -> bool:
    """Return whether there is a wheel of bothends-native for this Python, by the markers of the extra `cpu`."""
    return (
        sys.platform == "linux"
        and platform.machine() in ("x86_64", "aarch64")
        and platform.python_implementation() == "CPython"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")  # which no marker tells
    )


def _is_clone(folder: Path) -> bool:
    """Return whether `folder` is a clone, which has what the parts are built of."""
    return (folder / "native" / "CMakeLists.txt").is_file()


def _installed_from() -> Path | None:
    """Return the clone from which pip installed bothends, according to the metadata (PEP 610); None if there is
    none.
    """
    try:
        url = json.loads(distribution("bothends").read_text("direct_url.json") or "{}").get("url", "")
    except PackageNotFoundError:
        return None
    folder = Path(unquote(urlsplit(url).path))
    return folder if url.startswith("file:") and _is_clone(folder) else None


def _share(here: float, native: float) -> str:
    ratio = native / here
    return f"1/{ratio:.0f}" if ratio >= _WORTH_A_FRACTION else f"{100 / ratio:.0f} %"
