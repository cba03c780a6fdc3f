"""The simulation of a cluster against what is known without it: a formula, counts, which policy must be worse."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bothends.batching.scheduler import Budgets
from cluster import Cluster, Ended, Policy, outcome
from costs import Costs, at_record, fit_engine
from scenarios import Scaling, Scenarios
from simulation import BUDGETS, Replica, Simulation

pytestmark = pytest.mark.slow  # simulates a cluster for some seconds at a time

LENGTHS = [5, 9, 14, 20, 22, 31, 47, 80]
COSTS = Costs(3e-5, 8e-6, 4e-6, call_s=1e-4, sentence_s=3e-5, wake_s=3e-4, refuse_s=6e-5, lost_s=7e-5)
ONE_AT_A_TIME = Budgets(max_batch_rows=1, max_batch_tokens=16384, max_queue_tokens=1 << 40, overhead_rows=1.5)


def run(
    policy: Policy = "round robin",
    *,
    rate: float,
    seconds: float,
    costs: Sequence[Costs] = (COSTS,),
    budgets: Budgets = BUDGETS,
    workers: int = 1,
    callers: int = 1,
    deadline_s: float | None = None,
    seed: int = 0,
) -> Cluster:
    """Simulate Poisson arrivals of single sentences until `seconds`, and everything answered."""
    simulation, chance = Simulation(), random.Random(seed)  # noqa: S311  no secret
    replicas = [Replica(simulation, each, workers=workers, budgets=budgets) for each in costs]
    cluster = Cluster(simulation, replicas, policy, chance)
    draw = lambda: [chance.choice(LENGTHS)]  # noqa: E731
    cluster.open_loop(lambda _: rate, draw, until=seconds, callers=callers, deadline_s=deadline_s)
    simulation.run()
    return cluster


def p99_ms(ended: Sequence[Ended]) -> float:
    return outcome(ended, since=0, until=1).p99_ms


@pytest.mark.parametrize("used", [0.5, 0.8])
def test_one_server_of_constant_service_waits_as_the_formula_says(used: float) -> None:
    """M/D/1 (Pollaczek and Khinchine): the mean wait is used · service / (2 · (1 − used))."""
    service_s = 0.001
    constant = Costs(service_s, 0.0, 0.0)
    cluster = run(rate=used / service_s, seconds=30, costs=[constant], budgets=ONE_AT_A_TIME)
    waits = [each.seconds - service_s for each in cluster.ended]
    expected = used * service_s / (2 * (1 - used))
    assert sum(waits) / len(waits) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("deadline_s", [None, 0.02])
def test_each_call_ends_once(workers: int, deadline_s: float | None) -> None:
    """Calls are answered, refused or expired, also at three times what the replicas can do."""
    cluster = run(
        "two choices", rate=20_000, seconds=0.4, costs=[COSTS] * 2, workers=workers, callers=9, deadline_s=deadline_s
    )
    fates = {fate: sum(each.fate == fate for each in cluster.ended) for fate in ("answered", "refused", "expired")}
    assert sum(fates.values()) == cluster.sent == len(cluster.ended) > 5000
    assert fates["answered"]
    assert fates["refused"]
    assert all(replica.outstanding == 0 and not replica.queued for replica in cluster.balancer.replicas)
    assert sum(replica.rows for replica in cluster.balancer.replicas) == fates["answered"]


def test_a_seed_makes_a_run_the_same_again() -> None:
    runs = [run("two choices", rate=5000, seconds=0.3, costs=[COSTS] * 3, seed=seed).ended for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_nothing_is_faster_than_its_own_costs() -> None:
    """A call alone is woken for, read, run and answered: no less, and on an idle replica no more."""
    cluster = run(rate=5, seconds=20)
    alone = [COSTS.wake_s + COSTS.around_s(1) + COSTS.engine_s([length]) for length in LENGTHS]
    took = [each.seconds for each in cluster.ended]
    assert min(took) == pytest.approx(min(alone))
    assert sorted(took)[len(took) // 2] <= max(alone)


def test_batches_grow_with_the_load_and_carry_more_than_single_runs_could() -> None:
    light, heavy = (run(rate=rate, seconds=1).balancer.replicas[0] for rate in (300, 3500))
    assert light.rows / light.batches < 1.3
    assert heavy.rows / heavy.batches > 2
    assert 3500 * (COSTS.around_s(1) + COSTS.sentence_of(1, LENGTHS)) > 1


def test_few_connections_that_stay_make_hot_replicas() -> None:
    """Calls in turn are far from hot replicas at the same load, and many connections are nearer."""
    of = {
        callers: run("connection", rate=9000, seconds=1, costs=[COSTS] * 6, callers=callers).ended
        for callers in (6, 600)
    }
    turns = run("round robin", rate=9000, seconds=1, costs=[COSTS] * 6).ended
    assert p99_ms(of[6]) > 3 * p99_ms(of[600]) > 3 * p99_ms(turns)


@pytest.mark.parametrize("policy", ["least requests", "two choices"])
def test_who_counts_calls_spares_a_slow_replica(policy: Policy) -> None:
    costs = [COSTS.times(4), *[COSTS] * 5]
    counted, turns = (p99_ms(run(each, rate=7000, seconds=1, costs=costs).ended) for each in (policy, "round robin"))
    assert counted < turns / 3


def test_costs_are_found_again_from_batches_that_they_made() -> None:
    """Costs that are set to another machine's speed take as long there as was asked for, alone and in company."""
    chance = random.Random(3)  # noqa: S311  no secret
    drawn = [chance.choices(LENGTHS, k=rows) for rows in (1, 1, 2, 3, 4, 8, 12, 16) * 6]
    known = Costs(COSTS.run_s, COSTS.step_s, COSTS.token_s)
    batches = [(len(each), max(each), sum(each)) for each in drawn]
    found, error = fit_engine(batches, [known.engine_s(each) for each in drawn])
    assert error < 1e-9
    assert (found.run_s, found.step_s, found.token_s) == pytest.approx((known.run_s, known.step_s, known.token_s))
    moved = at_record(found, 4e-4, 2e-4, LENGTHS)
    assert moved.sentence_of(1, LENGTHS) == pytest.approx(4e-4, rel=0.01)
    assert moved.sentence_of(32, LENGTHS) == pytest.approx(2e-4, rel=0.01)


def test_more_replicas_end_a_step_and_room_needs_none() -> None:
    """Calls are lost until the new replicas come; a deployment with room loses none, and starts none."""
    scenarios = Scenarios(COSTS, LENGTHS)
    late = Scaling("late", 0.6, every_s=1.0, ready_s=0.5)
    found = scenarios.step(late, before_s=1.5, seconds=5.0)
    assert found["in_time"][0] == found["in_time"][-1] == 1
    assert min(found["in_time"]) < 0.95
    assert found["replicas"] > 2
    room = scenarios.step(replace(late, load=0.35), before_s=1.5, seconds=3.0)
    assert room["in_time"] == [1.0] * 3
    assert room["replicas"] == 2
