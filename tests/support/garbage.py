"""Finds objects that are left in reference cycles, where they wait for the garbage collector."""

import gc
from collections.abc import Callable

_TIMES = 20


def left_in_circles(act: Callable[[], object], *kinds: type) -> list[str]:
    """Act once, and so often again that it shows; returns the names of the `kinds` of which objects were left."""
    act()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(_TIMES):
            act()
        gc.collect()
        return sorted({type(thing).__name__ for thing in gc.garbage if isinstance(thing, kinds)})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
