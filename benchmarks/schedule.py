"""The quality of the batches that a policy finds, and the cost of finding them: a simulation, on no machine's load.

Callers in a closed loop send one sentence each; two engines take batches, each costing longest · (1.5 + rows) of a
token-row. Compared: policy.choose, the cheapest of all runs of lengths around the same sentence, and no choice at all.

python benchmarks/schedule.py [FILE]     lengths of a text file's lines in words; else drawn from a log-normal
"""

import heapq
import random
import sys
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bothends.batching.choose import choose

OVERHEAD_ROWS = 1.5
MAX_ROWS = 16
Pick = Callable[[list[int]], list[int]]
"""A choice from the lengths that wait, the eldest first, to the places of a batch that holds place 0."""


def cost(lengths: list[int]) -> float:
    """Return the cost of one batch, in token-rows."""
    return max(lengths) * (OVERHEAD_ROWS + len(lengths))


nearest: Pick = partial(choose, max_rows=MAX_ROWS, max_tokens=1 << 20, overhead_rows=OVERHEAD_ROWS)


def cheapest(lengths: list[int]) -> list[int]:
    """Return the run of lengths around place 0 that costs least a token: every one of them is looked at."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    at = order.index(0)
    runs = [
        order[first:stop]
        for first in range(max(0, at - MAX_ROWS + 1), at + 1)
        for stop in range(at + 1, min(len(order), first + MAX_ROWS) + 1)
    ]
    return min(runs, key=lambda run: cost([lengths[p] for p in run]) / sum(lengths[p] for p in run))


def in_turn(lengths: list[int]) -> list[int]:
    """Return the first that wait, up to 8."""
    return list(range(min(8, len(lengths))))


def simulate(pick: Pick, draw: Callable[[], int], *, callers: int, batches: int) -> tuple[float, float]:
    """Return the cost of a real token (1 is a perfect infinite batch), and the share of rows that is no padding."""
    waiting = [draw() for _ in range(callers)]
    running: list[tuple[float, list[int]]] = []
    now = spent = tokens = padded = 0.0
    for _ in range(batches):
        while waiting and len(running) < 2:
            batch = [waiting[place] for place in pick(waiting[:64])]
            for length in batch:
                waiting.remove(length)
            heapq.heappush(running, (now + cost(batch), batch))
            spent, tokens, padded = spent + cost(batch), tokens + sum(batch), padded + max(batch) * len(batch)
        now, done = heapq.heappop(running)
        waiting += [draw() for _ in done]
    return spent / tokens, tokens / padded


def main() -> None:
    """Print one table."""
    source = random.Random(1)  # noqa: S311  no secret
    known = [len(line.split()) for line in Path(sys.argv[1]).read_text().splitlines()] if sys.argv[1:] else []
    draw = (
        (lambda: source.choice(known)) if known else (lambda: max(1, min(256, round(source.lognormvariate(2.7, 0.55)))))
    )
    windows = [[draw() for _ in range(32)] for _ in range(200)]
    print(f"{'policy':<10}{'callers':>8}{'cost a token':>14}{'efficiency':>12}{'µs a choice of 32':>20}")
    for name, pick in (("nearest", nearest), ("cheapest", cheapest), ("in turn", in_turn)):
        took = min(timeit.repeat(lambda pick=pick: [pick(w) for w in windows], number=1, repeat=5)) / len(windows)
        for callers in (8, 32, 128):
            each, efficiency = simulate(pick, draw, callers=callers, batches=4000)
            print(f"{name:<10}{callers:>8}{each:>14.3f}{efficiency:>12.3f}{took * 1e6:>20.1f}")


if __name__ == "__main__":
    main()
