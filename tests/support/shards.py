"""Number of parts that the native transport has in tests: a variable says it, to servers as to what tests make.

`pytest --transport-shards N` sets that variable.
"""

import os

VARIABLE = "BOTHENDS_TRANSPORT_SHARDS"


def asked() -> int | None:
    """Number that tests were asked to run with; None if each is to have its own."""
    return int(os.environ.get(VARIABLE) or 0) or None
