"""What time it is, and what time it is in a demo store whose history ended years ago."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

HISTORY_END_KEY: Final = "demo.history_end"
PREPARED_AT_KEY: Final = "demo.prepared_at"


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present, timezone-aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present."""
        return datetime.now(UTC)


@dataclass(slots=True)
class FixedClock:
    """A clock for tests: it stands until `at` is set."""

    at: datetime

    def now(self) -> datetime:
        """The set time."""
        return self.at


@dataclass(frozen=True, slots=True)
class StoreClock:
    """Maps real times to behaviour times, so that a demo history seems to have ended when it was loaded.

    Without demo data (both None) it is the identity. With it, times up to `history_end` stand as they are, and a
    later time t becomes `max(history_end, t - (prepared_at - history_end))`: what happens one hour after the data
    was prepared counts as one hour after the history's end. The mapping is monotone.
    """

    history_end: datetime | None = None
    prepared_at: datetime | None = None

    def __post_init__(self) -> None:
        """Check that both times are there or neither, and in order.

        Raises:
            ValueError: They are not.
        """
        if (self.history_end is None) != (self.prepared_at is None):
            raise ValueError(
                f"history_end is {self.history_end} and prepared_at {self.prepared_at}; allowed: both or neither; "
                "remedy: run `pricesmith prepare` again"
            )
        if self.history_end is not None and self.prepared_at is not None and self.prepared_at < self.history_end:
            raise ValueError(
                f"prepared_at {self.prepared_at} lies before history_end {self.history_end}; allowed: not before it; "
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
        """The two values for `Store.set_meta`; empty without demo data."""
        if self.history_end is None or self.prepared_at is None:
            return {}
        return {HISTORY_END_KEY: self.history_end.isoformat(), PREPARED_AT_KEY: self.prepared_at.isoformat()}

    def shifted(self, at: datetime) -> datetime:
        """A real time on the history's calendar, before its end as well: how old the history is said to be."""
        if self.history_end is None or self.prepared_at is None:
            return at
        return at - (self.prepared_at - self.history_end)

    def behaviour_time(self, at: datetime) -> datetime:
        """The time by the history's calendar."""
        if self.history_end is None or self.prepared_at is None or at <= self.history_end:
            return at
        return max(self.history_end, self.shifted(at))
