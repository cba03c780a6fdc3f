"""Which transport serves, for tests of what one of them alone does."""

import os
from importlib.util import find_spec

import pytest

IS_NATIVE = (
    os.environ.get("BOTHENDS_TRANSPORT") != "grpcio"
    and find_spec("bothends_native") is not None
    and find_spec("bothends_native._transport") is not None
)
"""True where servers have the native transport by themselves."""
native_alone = pytest.mark.skipif(not IS_NATIVE, reason="the native transport keeps this; uvicorn has its own bounds")
"""Mark of tests of what HTTP's callers meet on the native transport alone."""
