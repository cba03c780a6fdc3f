"""Finds objects that are left in reference cycles, where they wait for the garbage collector."""

import gc
from collections.abc import Callable


def left_in_circles(act: Callable[[], object], *kinds: type, times: int = 20) -> list[str]:
    """Act once, and so often again that it shows; returns the names of the `kinds` of which objects were left."""
    act()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(times):
            act()
        gc.collect()
        return sorted({type(thing).__name__ for thing in gc.garbage if isinstance(thing, kinds)})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
