"""Two-sided CUSUM detector of changes in demand (Page 1954)."""

from dataclasses import dataclass
from typing import Final

ALLOWANCE: Final = 0.1  # in standard deviations: smaller mean residuals raise no alarm
THRESHOLD: Final = 40.0
_RESIDUAL_LIMIT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cusum:
    """Cumulative sums of standardised residuals; an alarm resets them.

    Attributes:
        up, down: Sums of positive and of negative deviations beyond `ALLOWANCE`.
        alarms: Number of times that either sum passed `THRESHOLD`.
    """

    up: float = 0.0
    down: float = 0.0
    alarms: int = 0

    def after(self, residual: float) -> "Cusum":
        """State after one more residual, which is clipped to 5 standard deviations."""
        bounded = max(-_RESIDUAL_LIMIT, min(_RESIDUAL_LIMIT, residual))
        up = max(0.0, self.up + bounded - ALLOWANCE)
        down = max(0.0, self.down - bounded - ALLOWANCE)
        if max(up, down) > THRESHOLD:
            return Cusum(0.0, 0.0, self.alarms + 1)
        return Cusum(up, down, self.alarms)
