"""What one unit of something takes, by a running mean: turns count seconds, and no machine's table says how many."""

_WEIGHT = 0.125
"""Weight of the latest figure. native/transport/account.hpp has the same, and the next."""
_MAX_DEARER = 4
"""Times the mean that a new figure counts at most: a process that was stopped meanwhile charges nobody for it."""
BYTE_S = 1e-6
"""Seconds that a byte counts where nobody knows what it takes: only ratios matter then."""


class Price:
    """Seconds of a core that a unit takes. Any thread may note and ask."""

    def __init__(self, first_s: float = BYTE_S) -> None:
        """Until something was noted, a unit takes `first_s`: only ratios matter then."""
        self._unit_s = first_s
        self._is_noted = False

    def note(self, units: float, seconds: float) -> None:
        """Take note of what so many units took."""
        if units > 0 and seconds > 0:
            latest = seconds / units
            if self._is_noted:
                latest = self._unit_s + _WEIGHT * (min(latest, _MAX_DEARER * self._unit_s) - self._unit_s)
            self._unit_s, self._is_noted = latest, True

    def of(self, units: float) -> float:
        """Return the seconds that so many units take."""
        return units * self._unit_s
