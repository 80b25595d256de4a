"""Clocks, and the calendar of a demo store whose history ended years ago."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

HISTORY_END_KEY: Final = "demo.history_end"
PREPARED_AT_KEY: Final = "demo.prepared_at"


class Clock(Protocol):
    """Source of the current time."""

    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        """The current time, UTC."""
        return datetime.now(UTC)


@dataclass(slots=True)
class FixedClock:
    """A clock for tests that always shows `at`."""

    at: datetime

    def now(self) -> datetime:
        """The set time."""
        return self.at


@dataclass(frozen=True, slots=True)
class StoreClock:
    """Maps real times to behaviour times, on which a demo history ends at the moment when it was loaded.

    Without demo data (both None) it is the identity. With it, times up to `history_end` stay as they are, and a later
    time t becomes `max(history_end, t - (prepared_at - history_end))`: one hour after the data was prepared becomes one
    hour after the end of the history. The mapping is monotone.
    """

    history_end: datetime | None = None
    prepared_at: datetime | None = None

    def __post_init__(self) -> None:
        """Check both times.

        Raises:
            ValueError: One of them is missing, or they are out of order.
        """
        if (self.history_end is None) != (self.prepared_at is None):
            raise ValueError(
                f"history_end is {self.history_end} and prepared_at {self.prepared_at}; allowed: both or neither; "
                "remedy: run `pricesmith prepare` again"
            )
        if self.history_end is not None and self.prepared_at is not None and self.prepared_at < self.history_end:
            raise ValueError(
                f"prepared_at {self.prepared_at} is before history_end {self.history_end}; allowed: at or after it; "
                "remedy: check the machine's clock and run `pricesmith prepare` again"
            )

    @classmethod
    def from_meta(cls, meta: Callable[[str], str | None]) -> "StoreClock":
        """Read the two times through `meta`, usually `Store.meta`."""
        history_end, prepared_at = meta(HISTORY_END_KEY), meta(PREPARED_AT_KEY)
        return cls(
            None if history_end is None else datetime.fromisoformat(history_end),
            None if prepared_at is None else datetime.fromisoformat(prepared_at),
        )

    def to_meta(self) -> Mapping[str, str]:
        """Both times for `Store.set_meta`; empty without demo data."""
        if self.history_end is None or self.prepared_at is None:
            return {}
        return {HISTORY_END_KEY: self.history_end.isoformat(), PREPARED_AT_KEY: self.prepared_at.isoformat()}

    def shifted(self, at: datetime) -> datetime:
        """A real time shifted to the calendar of the history, before its end too; for ages of history rows."""
        if self.history_end is None or self.prepared_at is None:
            return at
        return at - (self.prepared_at - self.history_end)

    def behaviour_time(self, at: datetime) -> datetime:
        """The behaviour time of a real time."""
        if self.history_end is None or self.prepared_at is None or at <= self.history_end:
            return at
        return max(self.history_end, self.shifted(at))
