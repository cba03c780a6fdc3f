"""Counts the threads that compute or tokenise in native code, so that the interpreter waits for them when it exits.

A daemon thread that returns from native code after the interpreter has ended is killed there, and C++ and Rust then
abort the whole process. So at exit no thread may enter native code any more, and those inside are waited for.
"""

import atexit
import os
import threading

from ..errors import DrainingError

_ENDS_S = 5.0
"""Bound on the time that a model run takes to end: one that hangs is left behind."""


class NativeCode:
    """Context manager that counts the threads inside it, and that can be shut."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the threads inside: a forked process has none of them, and a lock that they held would never be
        free.
        """
        self._changed = threading.Condition()
        self._inside = 0
        self._is_shut = False

    def __enter__(self) -> None:
        """Enter. Once it is shut, a thread ends here, as daemon threads do; the main thread gets DrainingError."""
        with self._changed:
            if not self._is_shut:
                self._inside += 1
                return
        if threading.current_thread() is threading.main_thread():
            raise DrainingError("the interpreter is ending")
        raise SystemExit  # without a word: whoever started a daemon thread wants none

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            if self._is_shut:
                self._changed.notify_all()

    def shut(self, *, timeout_s: float) -> bool:
        """Let no thread enter any more, and wait up to `timeout_s` seconds for those inside; returns True if all have
        left.
        """
        with self._changed:
            self._is_shut = True
            return self._changed.wait_for(lambda: not self._inside, timeout_s)


native_code = NativeCode()
"""The one of this process."""

atexit.register(native_code.shut, timeout_s=_ENDS_S)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=native_code.begin_anew)
