"""The cost of a call without a model: grpcio's two servers and our transports, each of which answers 2 KB at once.

python benchmarks/transports.py [--seconds 3] [--rounds 3]
"""

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import grpc
import grpc.aio

if TYPE_CHECKING:
    from bothends.server.grpc.contract import TransportName

METHOD = "/bothends.v1.EmbeddingService/Embed"
_BODIES = "there will be dragons\ndragons will be there\n"
_DIMENSION = 512


def _answer() -> bytes:
    """Return the response to one sentence, as large as a real one."""
    import numpy as np

    from bothends.embeddings import Embeddings
    from bothends.wire.messages import encode

    return encode(Embeddings(np.zeros((1, _DIMENSION), np.float32), [4], [False], "none"))


def threads(answer: bytes) -> None:
    """Serve by grpc.server: a thread a call."""
    server = grpc.server(ThreadPoolExecutor(8))
    _add(server, lambda request, context: answer)  # noqa: ARG005
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def asyncio(answer: bytes) -> None:
    """Serve by grpc.aio: a coroutine a call."""
    from asyncio import run

    async def serve() -> None:
        async def embed(request: bytes, context: Any) -> bytes:  # noqa: ARG001
            return answer

        server = grpc.aio.server()
        _add(server, embed)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await server.wait_for_termination()

    run(serve())


def transport(name: "TransportName", answer: bytes) -> None:
    """Serve by one of our transports: a crossing a batch, from as many threads as cores."""
    import os
    import threading

    from bothends.server.grpc.contract import Method
    from bothends.server.grpc.refusals import statuses
    from bothends.server.grpc.select import limits, listen
    from bothends.settings import Settings

    settings = Settings(port=0, max_concurrent_requests=1024)
    listener = listen(name, settings, None)
    serving = listener.serve([Method(METHOD)], headers=(), health=("",), statuses=statuses(limits(settings)))
    serving.start()

    def work() -> None:
        while (taken := serving.take(256, 1.0)) is not None:
            ids = [message_id for message_id, *_ in taken[0]]
            serving.answer(ids, [answer] * len(ids))

    threads = [threading.Thread(target=work) for _ in os.sched_getaffinity(0)]
    for thread in threads:
        thread.start()
    print(f"listening on 127.0.0.1:{listener.port}", flush=True)
    threads[0].join()


TRANSPORTS: dict[str, Callable[[bytes], None]] = {
    "grpc.server": threads,
    "grpc.aio": asyncio,
    "our transport, grpcio": partial(transport, "grpcio"),
    "our transport, native": partial(transport, "native"),
}


def _add(server: Any, embed: Any) -> None:
    handlers = {"Embed": grpc.unary_unary_rpc_method_handler(embed)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bothends.v1.EmbeddingService", handlers),))


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Measured time of each figure.")
@click.option("--rounds", default=3, show_default=True, help="Times each is measured; the median counts.")
@click.option("--serve", type=click.Choice(list(TRANSPORTS)), hidden=True)
def main(*, seconds: float, rounds: int, serve: str | None) -> None:
    """Print one table in Markdown."""
    if serve:
        TRANSPORTS[serve](_answer())
        return
    import generator
    from load.build import build
    from loads import unary
    from processes import Process
    from results import Row, medians
    from servers import Server

    build()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bodies = generator.write_bodies(Path(folder) / "bodies.txt", _BODIES.split("\n")[:2])
        for _ in range(rounds):
            for name in TRANSPORTS:
                command = [sys.executable, __file__, "--serve", name]
                log = Path(folder) / "log"
                with Process(name, command, ready=r"listening on 127.0.0.1:(?P<port>\d+)", log=log) as process:
                    server = Server(name, process, int(process.found["port"]), dimension=_DIMENSION)
                    rows += [
                        generator.measure(server, unary(callers), bodies, warmup_s=0.5, seconds=seconds)
                        for callers in (1, 32)
                    ]
    print("| | callers | calls/s | p50 ms | server CPU a call, µs |\n|:--|--:|--:|--:|--:|")
    for row in medians(rows):
        cpu = 1000 * (row.cpu_s_per_1000 or 0)
        print(f"| {row.server} | {row.load.split()[-1]} | {row.sentences_per_s:,.0f} | {row.p50_ms:.2f} | {cpu:.0f} |")


if __name__ == "__main__":
    main()
