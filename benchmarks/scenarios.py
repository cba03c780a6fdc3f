"""Simulated loads at which a cluster's latency bends: load, connections, a slow replica, a cold start.

Replicas have one worker each, the native engine in float32, and single sentences of real lengths. Every scenario gives
plain data; nothing is drawn or printed here.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from cluster import Cluster, Outcome, Policy, outcome
from costs import Costs
from loads import DEADLINE_MS
from simulation import Replica, Simulation

DEADLINE_S = DEADLINE_MS / 1000
SIZES = (1, 4, 16, 64)
LOADS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CONNECTIONS = (8, 16, 32, 64, 128, 256, 1024)
SLOW_LOADS = (0.3, 0.45, 0.6, 0.75)
REPLICAS = 8
"""Number of replicas in the scenarios that don't vary it."""
HOT_LOAD, SLOW = 0.6, 3.0
_WARM_S = 0.2
_CALLS = 10_000
"""Calls simulated at each point, at least."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Rules by which a deployment gets more replicas: as Kubernetes' autoscaler does, from the queue that it sees."""

    name: str
    load: float
    """Load before the step, as a share of what the replicas can do."""
    every_s: float
    """Seconds between two looks."""
    ready_s: float
    """Seconds from the decision to a replica's first call."""
    queue: float = 8.0
    """Calls that wait at each replica, as wanted; as many more replicas are started as there are too many."""
    most: int = 6


class Scenarios:
    """Scenarios on the same costs and lengths; a seed makes each run the same again."""

    def __init__(self, costs: Costs, lengths: Sequence[int], *, seed: int = 1) -> None:
        self._costs = costs
        self._lengths = lengths
        self._seed = seed
        self.capacity = self.closed(64, workers=1).sent_per_s
        """Calls that one replica answers a second with 64 calls always on their way."""

    def closed(self, callers: int, *, workers: int, batch: int = 1, seconds: float = 3.0) -> Outcome:
        """Simulate one replica, so many calls of `batch` sentences always on their way."""
        cluster = self._cluster([self._costs], "round robin", workers=workers)
        cluster.closed_loop(callers, self._draw(cluster, batch), until=seconds)
        cluster.simulation.run()
        return outcome(cluster.ended, since=_WARM_S, until=seconds)

    def overload(self, offered: float, *, workers: int, seconds: float = 3.0) -> Outcome:
        """Simulate one replica, so many calls a second with a deadline."""
        cluster = self._cluster([self._costs], "round robin", workers=workers)
        return self._open(cluster, offered, seconds=seconds, deadline_s=DEADLINE_S)

    def load(self) -> list[dict[str, Any]]:
        """Simulate latency against load, for some numbers of replicas behind a balancer that counts calls."""
        found = []
        for size in SIZES:
            for share in LOADS:
                rate = share * size * self.capacity
                cluster = self._cluster([self._costs] * size, "least requests")
                seconds = _WARM_S + max(0.15, _CALLS / rate)
                found.append({"replicas": size, "load": share} | asdict(self._open(cluster, rate, seconds=seconds)))
        return found

    def connections(self, *, seeds: int = 3) -> list[dict[str, Any]]:
        """Simulate connections that stay where they are, against calls in turn: the mean over some draws of which gets
        which.
        """
        rate, found = HOT_LOAD * REPLICAS * self.capacity, []
        for policy in ("connection", "round robin"):
            for count in CONNECTIONS if policy == "connection" else CONNECTIONS[:1]:
                outcomes = []
                for seed in range(seeds):
                    cluster = self._cluster([self._costs] * REPLICAS, policy, seed=seed)
                    outcomes.append(self._open(cluster, rate, seconds=1.2, callers=count, deadline_s=DEADLINE_S))
                lost, p99_ms = (sum(getattr(each, name) for each in outcomes) / seeds for name in ("lost", "p99_ms"))
                found.append({"policy": policy, "connections": count, "lost": lost, "p99_ms": p99_ms})
        return found

    def slow(self) -> list[dict[str, Any]]:
        """Simulate one of the replicas taking three times as long for everything; each policy, at some loads."""
        costs = [self._costs.times(SLOW), *[self._costs] * (REPLICAS - 1)]
        found = []
        for policy in get_args(Policy)[1:]:
            for share in SLOW_LOADS:
                cluster = self._cluster(costs, policy)
                rate = share * REPLICAS * self.capacity
                made = self._open(cluster, rate, seconds=1.2, deadline_s=DEADLINE_S)
                found.append({"policy": policy, "load": share} | asdict(made))
        return found

    def step(self, how: Scaling, *, before_s: float = 5.0, seconds: float = 30.0) -> dict[str, Any]:
        """Simulate twice the load from `before_s` on, at two replicas: what share is answered in time, second by
        second.
        """
        cluster = self._cluster([self._costs] * 2, "least requests")
        usual = how.load * 2 * self.capacity
        started: list[float] = []

        def look() -> None:
            replicas = cluster.balancer.replicas
            coming = len(started) - (len(replicas) - 2)
            each = sum(replica.queued for replica in replicas) / len(replicas)
            wanted = min(how.most, math.ceil(len(replicas) * each / how.queue)) if each > 1.1 * how.queue else 0
            for _ in range(wanted - len(replicas) - coming):
                started.append(simulation.now)
                simulation.at(simulation.now + how.ready_s, join)
            if simulation.now + how.every_s < seconds:
                simulation.at(simulation.now + how.every_s, look)

        def join() -> None:
            cluster.balancer.replicas.append(Replica(simulation, self._costs))

        simulation = cluster.simulation
        simulation.at(how.every_s, look)
        rate: Callable[[float], float] = lambda now: usual * (1 + (now >= before_s))  # noqa: E731
        cluster.open_loop(rate, self._draw(cluster, 1), until=seconds, deadline_s=DEADLINE_S)
        simulation.run()
        shares = [
            1 - outcome(cluster.ended, since=at, until=at + 1, deadline_s=DEADLINE_S).lost for at in range(int(seconds))
        ]
        return asdict(how) | {"step_s": before_s, "in_time": shares, "replicas": len(cluster.balancer.replicas)}

    def _cluster(self, costs: Sequence[Costs], policy: Policy, *, workers: int = 1, seed: int = 0) -> Cluster:
        simulation = Simulation()
        replicas = [Replica(simulation, each, workers=workers) for each in costs]
        return Cluster(simulation, replicas, policy, random.Random(self._seed + seed))  # noqa: S311  no secret

    def _draw(self, cluster: Cluster, batch: int) -> Callable[[], list[int]]:
        return lambda: cluster.chance.choices(self._lengths, k=batch)

    def _open(
        self, cluster: Cluster, rate: float, *, seconds: float, callers: int = 1, deadline_s: float | None = None
    ) -> Outcome:
        cluster.open_loop(lambda _: rate, self._draw(cluster, 1), until=seconds, callers=callers, deadline_s=deadline_s)
        cluster.simulation.run()
        return outcome(cluster.ended, since=_WARM_S, until=seconds, deadline_s=deadline_s)


_POD_S = 10.0
"""Assumed seconds until a replica answers whose machine or image isn't there yet."""


def steps(ready_s: float) -> list[Scaling]:
    """Return cold starts to compare: Kubernetes' own 15 s with a slow pod and a quick one, a quicker eye, and room."""
    usual = Scaling("60 % used, looks every 15 s", 0.6, 15.0, ready_s)
    return [
        replace(usual, name=f"60 % used, looks every 15 s, a pod takes {_POD_S:g} s", ready_s=_POD_S),
        usual,
        replace(usual, name="60 % used, looks every 2 s", every_s=2.0),
        replace(usual, name="40 % used, looks every 15 s", load=0.4),
    ]
