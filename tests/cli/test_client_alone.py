"""The command line and the package where only the client is installed: what works, and what each other part needs."""

import subprocess
import sys

import pytest


def test_the_client_needs_no_server_packages() -> None:
    """`import bothends` brings neither onnxruntime nor the server's other packages."""
    heavy = "{'onnxruntime', 'tokenizers', 'pydantic', 'starlette', 'uvicorn', 'prometheus_client'}"
    code = f"import sys, bothends; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


CLIENT_ONLY = """
import sys
class No:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"onnx", "onnxruntime", "pydantic", "ray", "rich", "tokenizers", "torch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
sys.meta_path.insert(0, No())
from bothends.cli.main import main
main(sys.argv[1:])
"""
"""Program of the command line where only the client's packages are installed."""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "bothends import needs torch: pip install torch --index-url"),
        (
            ["import", "model.pt", "--out", "x"],
            1,
            "bothends import needs torch: pip install torch --index-url https://download.pytorch.org/whl/cpu (or pip "
            "takes the CUDA build, 6.2 GB), then pip install 'bothends[import]'",
        ),
        (["health", "--server", "127.0.0.1:1"], 1, "no server answers at 127.0.0.1:1"),
        (["import", "--help"], 1, "bothends import needs torch: pip install torch --index-url"),
        (["embed", "x"], 1, "pip install 'bothends[cpu]', or ask a server by --server HOST:PORT"),
    ],
    ids=str,
)
def test_a_client_alone_says_what_a_command_needs(arguments: list[str], code: int, said: str) -> None:
    """The help lists every command, also those that can't be loaded."""
    command = [sys.executable, "-c", CLIENT_ONLY, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, said in ended.stdout + ended.stderr) == (code, True), ended.stderr


def test_an_application_of_ray_says_what_a_client_alone_lacks() -> None:
    code = CLIENT_ONLY.partition("from bothends.cli")[0] + "import bothends.ray"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    needed = "ModuleNotFoundError: bothends.ray needs ray: pip install 'bothends[cpu,ray]'"
    assert ended.stderr.splitlines()[-1] == needed
