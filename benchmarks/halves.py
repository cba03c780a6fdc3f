"""One server with two workers beside two servers with one worker each: shows whether one interpreter can feed two
engines.

Half of the callers go to each of the two, as a perfect balancer would send them.

python benchmarks/halves.py [--seconds 4] [--rounds 2] [--engine onnxruntime] [--sentences FILE]
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click

import generator
from load.build import build
from loads import unary
from results import ENGINES, Row
from sentences import load
from servers import Server, start_ours


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="Measured time of each figure.")
@click.option("--rounds", default=2, show_default=True, help="Times each is measured.")
@click.option("--engine", type=click.Choice(ENGINES), help="The default is the one that a server takes by itself.")
@click.option("--sentences", type=click.Path(path_type=Path, exists=True), help="A text file, a sentence a line.")
def main(*, seconds: float, rounds: int, engine: str | None, sentences: Path | None) -> None:
    """Print one table in Markdown."""
    build()
    with tempfile.TemporaryDirectory() as name, ExitStack() as running, ThreadPoolExecutor(2) as pool:
        folders = [Path(name) / part for part in ("one", "first", "second")]
        for folder in folders:
            folder.mkdir()
        bodies = generator.write_bodies(Path(name) / "sentences.txt", load(sentences).texts)
        one = running.enter_context(start_ours(folders[0], "--workers", "2", engine=engine))
        halves = [running.enter_context(start_ours(folder, "--workers", "1", engine=engine)) for folder in folders[1:]]

        def measure(server: Server, callers: int) -> Row:
            return generator.measure(server, unary(callers), bodies, warmup_s=1, seconds=seconds)

        print("| callers | processes | sentences/s | p99 ms |\n|--:|--:|--:|--:|")
        for _ in range(rounds):
            for callers in (8, 32, 128):
                _show(callers, [measure(one, callers)])
                _show(callers, list(pool.map(measure, halves, [callers // 2] * 2)))


def _show(callers: int, rows: list[Row]) -> None:
    rate, p99_ms = sum(row.sentences_per_s for row in rows), max(row.p99_ms or 0 for row in rows)
    print(f"| {callers} | {len(rows)} | {rate:,.0f} | {p99_ms:.1f} |", flush=True)


if __name__ == "__main__":
    main()
