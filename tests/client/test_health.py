"""`bothends health`: one exit code and one line, from a server in each state that it can be in."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from click.testing import CliRunner, Result

from bothends.cli.main import main
from bothends.server.server import Server
from tests.support.grpcs import serving
from tests.support.serving import BOTHENDS


def health(target: str, *flags: str) -> Result:
    return CliRunner().invoke(main, ["health", "--server", target, *flags])


def refused(target: str, *flags: str) -> str:
    """The one line that is printed where the answer is no."""
    answer = health(target, *flags)
    assert answer.exit_code == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    return line


def test_a_serving_server_is_0(server: Server) -> None:
    answer = health(f"127.0.0.1:{server.port}")
    assert (answer.exit_code, answer.stdout) == (0, f"127.0.0.1:{server.port} is SERVING\n"), answer.stderr


def test_a_proxy_for_the_outside_is_not_asked(server: Server) -> None:
    """Container engines put http_proxy into every container; the server beside the check isn't behind it."""
    environment = {"http_proxy": "http://127.0.0.1:1", "PYTHONPATH": ":".join(sys.path)}
    command = [str(BOTHENDS), "health", "--server", f"127.0.0.1:{server.port}"]
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def test_a_server_that_takes_nothing_new_or_has_stopped_is_1() -> None:
    with serving() as running:
        running.say_serving(False)
        assert refused(running.target) == f"Error: {running.target} is NOT_SERVING"
    assert refused(running.target).startswith(f"Error: no server answers at {running.target}: ")


def test_one_that_accepts_and_never_answers_is_1() -> None:
    """A server that still loads its model, or hangs, is known within the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        assert refused(target, "--timeout", "0.5") == f"Error: {target} doesn't answer within 0.5 s"


def test_a_server_without_health_is_1() -> None:
    """A server of another kind is up, but its health can't be known."""
    other = grpc.server(ThreadPoolExecutor(1))
    target = f"127.0.0.1:{other.add_insecure_port('127.0.0.1:0')}"
    other.start()
    line = refused(target)
    other.stop(None).wait()
    assert line.startswith(f"Error: {target} can't tell its health: UNIMPLEMENTED")


def test_it_loads_no_model_and_no_server() -> None:
    """Health checks run every few seconds beside a server that wants the CPU."""
    code = (
        "import sys, bothends.cli.main, bothends.client.health; "
        "sys.exit(bool({'onnxruntime', 'tokenizers', 'pydantic', 'starlette', 'uvicorn', 'prometheus_client'}"
        " & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
