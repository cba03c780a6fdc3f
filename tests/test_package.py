"""The package as one sees it at a prompt: version, names, and what an encoder says of itself and of its speed."""

import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

import bothends
from bothends import Encoder
from bothends.engines import native
from tests.support.ran import ran


@pytest.fixture(scope="module")
def loaded() -> Iterator[Encoder]:
    """The packaged model."""
    with Encoder.load(device="cpu") as encoder:
        yield encoder


def test_it_says_what_it_is_and_by_what_it_computes(loaded: Encoder) -> None:
    """The engine is what `load` takes; whoever prints an encoder sees it."""
    assert loaded.engine.partition("/")[0] == ("native" if native.is_built() else "onnxruntime")
    assert (loaded.device, loaded.precision) == ("cpu", "float32")
    assert repr(loaded) == (
        f"<bothends.Encoder english {loaded.version}: 512 numbers, float32 by {loaded.engine} on cpu>"
    )
    with Encoder.load(engine=loaded.engine, device="cpu") as again:
        assert again.engine == loaded.engine


def test_the_package_has_its_version_and_lists_what_is_lazy() -> None:
    """`dir` is what completion shows; neither name is in `__all__`, since `import *` would ask for them."""
    assert {"Client", "Encoder", "__version__"} <= set(dir(bothends))
    assert bothends.__version__ == version("bothends")


def test_importing_is_light() -> None:
    """Libraries that are installed aren't loaded before they are asked for; nor does an encoder load gRPC."""
    code = "import sys, bothends; print(sorted({'google.protobuf', 'grpc', 'numpy', 'pydantic'} & set(sys.modules)))"
    assert ran(sys.executable, "-c", code, check=True).stdout == "[]\n"
    code = "import sys; from bothends import Encoder; print(sorted({'grpc', 'starlette'} & set(sys.modules)))"
    assert ran(sys.executable, "-c", code, check=True).stdout == "[]\n"
    assert bothends.Encoder is Encoder
