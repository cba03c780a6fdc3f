"""The command line and the package where only the client is installed: what works, and what each other part needs."""

import sys

import pytest

from tests.support.ran import ran
from tests.support.without import without

HEAVY = ("onnx", "onnxruntime", "pydantic", "ray", "rich", "tokenizers", "torch")
"""Packages that the client doesn't need."""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "import       Turn an encoder that others trained into a checkpoint."),
        (
            ["import", __file__, "--out", "x"],
            1,
            "bothends import needs torch: pip install torch --index-url https://download.pytorch.org/whl/cpu (or pip "
            "takes the CUDA build, 6.2 GB), then pip install 'bothends[import]'",
        ),
        (["health", "--server", "127.0.0.1:1"], 1, "no server answers at 127.0.0.1:1"),
        (["import", "missing.pt", "--out", "x"], 1, "missing.pt can't be read: No such file or directory"),
        (["import", "--help"], 0, "Usage: -c import [OPTIONS]"),
        (["embed", "x"], 1, "pip install 'bothends[cpu]', or ask a server by --server HOST:PORT"),
    ],
    ids=str,
)
def test_a_client_alone_says_what_a_command_needs(arguments: list[str], code: int, said: str) -> None:
    """The help lists every command and tells what each takes, also those that can't run; a file is looked for first."""
    command = [sys.executable, "-c", without(*HEAVY), *arguments]
    ended = ran(*command)
    assert (ended.returncode, said in ended.stdout + ended.stderr) == (code, True), ended.stderr


def test_an_application_of_ray_says_what_a_client_alone_lacks() -> None:
    code = without(*HEAVY, then="import bothends.ray")
    ended = ran(sys.executable, "-c", code)
    needed = "ModuleNotFoundError: bothends.ray needs ray: pip install 'bothends[cpu,ray]'"
    assert ended.stderr.splitlines()[-1] == needed
