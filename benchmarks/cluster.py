"""Callers, a balancer and replicas, simulated: when calls are sent, which replica gets each, and how each ends."""

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from simulation import Call, Fate, Replica, Simulation

Policy = Literal["connection", "round robin", "least requests", "two choices"]
"""Choice of a replica: a connection once and for all its calls (a Kubernetes Service, any TCP balancer); the next in
turn; the one with the fewest calls on their way (HAProxy's leastconn); the better of two at random (Envoy's
LEAST_REQUEST)."""
Draw = Callable[[], Sequence[int]]
"""Lengths of the next call's sentences."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One call: when it was sent, how long it took, how it ended."""

    sent: float
    seconds: float
    fate: Fate


class Balancer:
    """A balancer that gives each call a replica of those that there are."""

    def __init__(self, policy: Policy, replicas: list[Replica], chance: random.Random) -> None:
        self.replicas = replicas
        self._policy = policy
        self._chance = chance
        self._turn = 0
        self._of_caller: dict[int, Replica] = {}

    def choose(self, caller: int) -> Replica:
        """Return the replica for a call of `caller`."""
        if self._policy == "connection":
            if caller not in self._of_caller:
                self._of_caller[caller] = self._chance.choice(self.replicas)
            return self._of_caller[caller]
        if self._policy == "round robin":
            self._turn += 1
            return self.replicas[self._turn % len(self.replicas)]
        if self._policy == "least requests":
            self._turn += 1  # of several with as few, the next in turn
            start = self._turn % len(self.replicas)
            return min(self.replicas[start:] + self.replicas[:start], key=_outstanding)
        return min(self._chance.choices(self.replicas, k=2), key=_outstanding)


class Cluster:
    """Replicas behind a balancer, and a record of every call."""

    def __init__(self, simulation: Simulation, replicas: list[Replica], policy: Policy, chance: random.Random) -> None:
        self.simulation = simulation
        self.chance = chance
        self.balancer = Balancer(policy, replicas, chance)
        self.sent = 0
        self.ended: list[Ended] = []

    def send(
        self,
        lengths: Sequence[int],
        *,
        caller: int = 0,
        deadline_s: float | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Send a call now; `then` happens once it has ended."""

        def ended(call: Call, fate: Fate) -> None:
            self.ended.append(Ended(call.sent, self.simulation.now - call.sent, fate))
            if then is not None:
                then()

        self.sent += 1
        now = self.simulation.now
        deadline = None if deadline_s is None else now + deadline_s
        self.balancer.choose(caller).take(Call(lengths, now, ended, deadline, caller))

    def open_loop(
        self,
        rate: Callable[[float], float],
        draw: Draw,
        *,
        until: float,
        callers: int = 1,
        deadline_s: float | None = None,
    ) -> None:
        """Send calls in Poisson arrivals of `rate(now)` a second, each of a random one of `callers`, whatever is
        answered.
        """

        def arrive() -> None:
            caller = self.chance.randrange(callers)
            self.send(draw(), caller=caller, deadline_s=deadline_s)
            self._at_random(rate, arrive, until)

        self._at_random(rate, arrive, until)

    def closed_loop(self, callers: int, draw: Draw, *, until: float) -> None:
        """Have each of `callers` send its next call when the one before has ended."""

        def again(caller: int) -> None:
            if self.simulation.now < until:
                self.send(draw(), caller=caller, then=lambda: again(caller))

        for caller in range(callers):
            again(caller)

    def _at_random(self, rate: Callable[[float], float], act: Callable[[], None], until: float) -> None:
        when = self.simulation.now + self.chance.expovariate(rate(self.simulation.now))
        if when < until:
            self.simulation.at(when, act)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of the calls that were sent within some seconds."""

    sent_per_s: float
    in_time_per_s: float
    """Rate of calls answered, and within the deadline where there is one."""
    p50_ms: float
    p99_ms: float
    """99th percentile of the answered calls' latency."""
    lost: float
    """Share of calls that weren't answered, or too late."""


def outcome(ended: Sequence[Ended], *, since: float, until: float, deadline_s: float | None = None) -> Outcome:
    """Return the outcome of the calls sent from `since` to `until`."""
    calls = [each for each in ended if since <= each.sent < until]
    answered = sorted(1000 * each.seconds for each in calls if each.fate == "answered")
    limit_ms = math.inf if deadline_s is None else 1000 * deadline_s
    in_time = sum(each <= limit_ms for each in answered)
    seconds = until - since
    return Outcome(
        len(calls) / seconds,
        in_time / seconds,
        statistics.median(answered) if answered else math.nan,
        answered[int(0.99 * (len(answered) - 1))] if answered else math.nan,
        1 - in_time / len(calls) if calls else 0.0,
    )


def _outstanding(replica: Replica) -> int:
    return replica.outstanding
