"""The command line as people use it: start, call, and every way to be told no."""

import logging
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bothends import Client
from bothends.cli.main import main
from tests.support.ran import ran
from tests.support.serving import BOTHENDS, Running, finish, start
from tests.support.tools import needs_torch
from tests.support.transports import IS_NATIVE


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Give the root logger back what it had: `serve` sends its records to a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def bothends(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [BOTHENDS, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_the_banner_says_what_is_served(shared: Running) -> None:
    """Model, device, self-test, both addresses, and a line to try, which works where the server was started."""
    for part in ("english", "512 numbers", "cpu", "golden sentences are within", "/metrics"):
        assert part in shared.banner
    line = re.search(r"try +(.+)", shared.banner)
    assert line is not None
    command, *arguments = shlex.split(line[1])
    assert command == ("bothends" if shutil.which("bothends") else str(BOTHENDS))
    answer = bothends(*arguments)
    assert answer.returncode == 0, answer.stderr
    assert "there will be dragons" in answer.stdout


def test_the_server_imports_no_torch_and_stays_small(shared: Running) -> None:
    """No library of PyTorch's is mapped into the process, and it holds less than 300 MB."""
    with Client(shared.target) as client:
        client.encode([f"dragon number {number}" for number in range(2000)])
    process = Path(f"/proc/{shared.process.pid}")
    if not process.exists():
        pytest.skip("needs /proc")
    mapped = (process / "maps").read_text()
    assert "torch" not in mapped
    if IS_NATIVE:  # and `test_serving_loads_no_client_and_no_uvicorn` looks at what is no library of C's
        assert "cygrpc" not in mapped
    resident = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert resident is not None
    assert int(resident[1]) < 300_000


def test_serving_loads_no_client_and_no_uvicorn() -> None:
    """What the native transport needs nothing of takes time and 12 MB: it is imported where it serves."""
    code = (
        "import sys, bothends.cli.main, bothends.cli.serve, bothends.server.server; "
        "print([name for name in sys.modules if name in {'grpc', 'uvicorn', 'bothends.client', 'bothends.bulk.run'}])"
    )
    assert ran(sys.executable, "-c", code, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["serve", "--bundle", "nowhere"], 1, "there is no bundle at nowhere"),
        (["serve", "--bundle", "."], 1, "there is no bundle at .: config.json is missing; bothends export makes"),
        (["serve", "--device", "tpu"], 2, "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["serve", "--colour", "red"], 2, "No such option"),
        (["serve", "--host", "256.1.1.1"], 1, "can't listen on 256.1.1.1"),
        (["export", "nowhere", "--out", "x"], 1, "nowhere can't be read: No such file"),
        (["export", os.devnull, "--out", "x"], 1, f"{os.devnull} is a file; name a folder"),
        pytest.param(["export", ".", "--out", "x"], 1, "model.safetensors is missing", marks=needs_torch),
        (["train", "nowhere.toml"], 1, "nowhere.toml can't be read: No such file"),
        (["embed", "--server", "127.0.0.1:1", "x"], 1, "no bothends server answers at 127.0.0.1:1"),
        (["nonsense"], 2, "Error: there is no command 'nonsense'; bothends --help lists them\n"),
        (["embde", "x"], 2, "Error: there is no command 'embde'; did you mean embed?\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    """A line says what and where, with exit code 2 for usage and 1 otherwise, never a traceback."""
    monkeypatch.chdir(tmp_path)
    free = ["--port", "0", "--http-port", "0"] if arguments[0] == "serve" and "--port" not in arguments else []
    answer = CliRunner().invoke(main, [*arguments, *free])
    assert isinstance(answer.exception, SystemExit), answer.exception
    assert answer.exit_code == code, answer.stderr
    assert message in answer.stderr
    assert answer.stderr.strip().splitlines()[-1].startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_path_is_told_before_pytorch_is_imported() -> None:
    """Importing it takes seconds, on a busy machine a minute; and where it isn't installed, the path is wrong still."""
    commands = {
        "verify nowhere": 1,
        "export nowhere --out x": 1,
        "doctor nowhere": 2,
        "import nowhere --out x": 1,
        f"import {__file__} --vectors nowhere --out x": 1,
        "train nowhere": 1,
    }
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom bothends.cli.main import main\n"
        "for command in sys.argv[1:]:\n"
        "    answer = CliRunner().invoke(main, command.split())\n"
        "    print(answer.exit_code, 'nowhere' in answer.stderr, {'torch', 'onnx'} & {*sys.modules})"
    )
    ended = ran(sys.executable, "-c", program, *commands)
    assert ended.stdout.splitlines() == [f"{code} True set()" for code in commands.values()], ended.stderr


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["embed", "x", "--precision", "int9"], "is not one of 'float32', 'bf16', 'int8'; did you mean int8?"),
        (["serve", "--engine", "nativ"], "did you mean native?"),
        (["import", "x", "--out", "y", "--pooling", "maximum"], "did you mean max?"),
        (["embed", "x", "--top", "3"], "No such option '--top'."),
        (["embed", "--inptu", "x"], "Did you mean '--input'?"),
        (["search", "x", "y", "--top", "0"], "0 is not in the range x>=1."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_word_is_one_line_that_asks_for_the_right_one(arguments: list[str], asked: str) -> None:
    """How the command is used is shown where something is missing."""
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: ")
    assert answer.stderr.count("\n") == 1
    assert asked in answer.stderr
    assert (
        "Usage: " in CliRunner().invoke(main, arguments[:1] if arguments[0] in ("search", "import") else ["key"]).stderr
    )


@pytest.mark.parametrize("command", [["health"], ["embed", "x"]], ids=lambda command: command[0])
def test_a_port_that_speaks_something_else_is_told(shared: Running, command: list[str]) -> None:
    """HTTP's port is told from gRPC's, and a server without TLS from none."""
    for flags, said in (
        ([shared.http.removeprefix("http://")], "that port is for HTTP; gRPC has another, 50051 unless"),
        ([shared.target, "--tls"], "it speaks no TLS: leave that out"),
    ):
        answer = bothends(*command, "--server", *flags)
        assert answer.returncode == 1
        assert said in answer.stderr.splitlines()[-1]


def test_two_servers_can_not_share_a_port(shared: Running) -> None:
    """The kernel would split calls between them unseen, were it not for so_reuseport=0."""
    answer = bothends("serve", "--port", shared.target.rpartition(":")[2], "--http-port", "0")
    assert answer.returncode == 1
    assert "Address already in use" in answer.stderr


def test_ipv6_addresses_are_printed_as_they_are_dialled() -> None:
    """The line to try works for ::1 as well."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no ::1")
    running = start("--host", "::1")
    assert running.target.startswith("[::1]:")
    with Client(running.target) as client:
        assert client.encode(["six"]).shape == (1, 512)
    finish(running)
