"""How far one process goes: the sentences a second that it answers at most on any number of cores. Measures nothing."""


def wall(cores: int, held_us: float, cpu_us: float) -> float:
    """Return the sentences a second that one process answers at most: those that fill its cores, or those that fill the
    one lock that is held the longest.

    `held_us` is for how long that is held a sentence, `cpu_us` the processor time of a sentence, both in microseconds.
    """
    return 1e6 * min(1 / held_us, cores / cpu_us)


def amdahl(cores: int, held_us: float, cpu_us: float) -> float:
    """Return the sentences a second by Amdahl's law: what is done under the lock is done by one core at a time, and
    nothing else meanwhile. Units are those of `wall`, which is never less.
    """
    return 1e6 / (held_us + (cpu_us - held_us) / cores)


def share_by_python(per_s: float, plain_us: float, python_us: float) -> float:
    """Return the share of calls that may take Python's path, from 0 to 1, at so many sentences a second, until Python's
    own lock is always held.

    `plain_us` is for how long a call holds it that takes the fast path, `python_us` one that doesn't, in microseconds.
    """
    return min(1.0, max(0.0, (1e6 / per_s - plain_us) / (python_us - plain_us)))
