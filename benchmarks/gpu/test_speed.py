"""Terms of a batch's cost, fitted."""

import numpy as np
import pytest
from speed import fitted


def test_a_constant_a_run_is_not_taken_for_steps() -> None:
    """Costs that were made of three terms are taken apart into the same three."""
    shapes = [(rows, longest) for rows in (1, 4, 64, 1024) for longest in (8, 32, 256)]
    cells = np.array([(rows, longest, 1e-4 + longest * (4e-6 + rows * 2e-8)) for rows, longest in shapes])
    assert fitted(cells) == pytest.approx((1e-4, 4e-6, 2e-8, 0), rel=1e-6, abs=1e-9)
