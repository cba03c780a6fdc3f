"""Cost of one unit of work, as a running mean of measurements on this machine: fair queueing counts in seconds."""

_WEIGHT = 0.125
"""Weight of the latest figure. native/transport/account.hpp has the same, and the next."""
_MAX_DEARER = 4
"""Multiple of the mean that one measurement counts at most, so that a process that was stopped charges nobody for
it."""
BYTE_S = 1e-6
"""Seconds that a byte counts before any measurement; only ratios matter then."""


class Price:
    """Seconds of one core that a unit of work takes. Safe to use from several threads."""

    def __init__(self, first_s: float = BYTE_S) -> None:
        """Until something was noted, a unit takes `first_s`: only ratios matter then."""
        self._unit_s = first_s
        self._is_noted = False

    def note(self, units: float, seconds: float) -> None:
        """Add a measurement: `units` units of work took `seconds` seconds of one core."""
        if units > 0 and seconds > 0:
            latest = seconds / units
            if self._is_noted:
                latest = self._unit_s + _WEIGHT * (min(latest, _MAX_DEARER * self._unit_s) - self._unit_s)
            self._unit_s, self._is_noted = latest, True

    def of(self, units: float) -> float:
        """Return the seconds that this many units take."""
        return units * self._unit_s
