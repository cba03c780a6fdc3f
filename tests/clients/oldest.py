"""A server and clients of it, on the oldest packages that bothends allows; prints JSON. Sentences on stdin."""

import asyncio
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from bothends import AsyncClient, Client, SentenceError
from bothends.server.server import Server
from bothends.settings import Settings

PACKAGES = ("protobuf", "grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status", "tritonclient")


async def suspended(target: str, sentences: list[str]) -> Any:
    """Ask by asyncio."""
    async with AsyncClient(target) as client:
        return (await client.encode(sentences)).tolist()


def by_triton(target: str, sentences: list[str]) -> list[Any]:
    """Ask by Triton's client, elsewhere: its messages have the names of the server's, which no process has twice."""
    command: list[str | Path] = [sys.executable, "-I", Path(__file__).with_name("triton_rows.py"), target]
    rows: list[Any] = json.loads(subprocess.check_output(command, input=json.dumps(sentences), text=True))
    return rows


def refused(client: Client) -> str:
    """Have the server refuse a sentence; its details are protobuf in a trailer."""
    try:
        client.encode(["fine", " "])
    except SentenceError as error:
        return str(error)
    raise AssertionError("it was answered")


def main() -> None:
    """Serve, and ask in every way."""
    sentences = json.load(sys.stdin)
    server = Server(Settings(port=0, http_port=0, device="cpu"))
    server.start()
    target = f"127.0.0.1:{server.port}"
    with Client(target) as client:
        rows = {
            "encode": client.encode(sentences).tolist(),
            "stream": [cast("Any", row).tolist() for row in client.encode_stream(sentences)],
            "asyncio": asyncio.run(suspended(target, sentences)),
            "triton": by_triton(target, sentences),
        }
        report: dict[str, Any] = {"rows": rows, "refused": refused(client), "model": client.model().name}
    report["versions"] = {name: version(name) for name in PACKAGES}
    report["answered"] = server.stop()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
