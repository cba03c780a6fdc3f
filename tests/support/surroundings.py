"""What tests leave out of the surroundings that a person starts them in, so that they end the same for everybody."""

import os

from . import shards

_ASKED = ("BOTHENDS_TRANSPORT", shards.VARIABLE, "BOTHENDS_TEST_ENGINE")
"""Variables by which a person says what is tested."""
_OF_A_TERMINAL = ("CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR")


def leave_out() -> None:
    """Change the variables of this process, which all that it starts inherits.

    Out go settings of a server that the person runs, or calls, and how wide and coloured their terminal is. What
    listens on this machine is reached without the proxy that `http_proxy` names.
    """
    for name in [*os.environ]:
        if name in _OF_A_TERMINAL or (name.startswith("BOTHENDS_") and name not in _ASKED):
            del os.environ[name]
    for name in ("no_proxy", "NO_PROXY"):  # curl reads the first, others either
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost,::1"]))
