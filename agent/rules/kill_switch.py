"""The kill switch: while it is on, every quote is the reference price. Kept in the store, seen by all processes."""

import json
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Final

from agent.store import Store

RULE: Final = "kill_switch"
FRESH_S: Final = 0.5  # a process sees the switch this late at most
_KEY: Final = "kill_switch"


@dataclass(frozen=True, slots=True)
class Hold:
    """The switch is on: since when, by whom, why."""

    since: datetime
    by: str
    reason: str


class KillSwitch:
    """One store's switch. Safe for several threads."""

    def __init__(self, store: Store) -> None:
        """Read from and write to `store`."""
        self._store = store
        self._lock = Lock()
        self._known: Hold | None = None
        self._read_at = float("-inf")

    def state(self) -> Hold | None:
        """The hold, None when the switch is off; at most `FRESH_S` old.

        When the store does not answer, the state known last stands: quotes that cannot be recorded are refused anyway.

        Raises:
            StoreUnavailable: The store does not answer and never did.
        """
        with self._lock:
            if monotonic() - self._read_at > FRESH_S:
                text = self._store.meta(_KEY)
                self._known = _hold(text)
                self._read_at = monotonic()
            return self._known

    def hold(self, by: str, reason: str, now: datetime) -> Hold:
        """Switch on; a hold that is there already keeps its time."""
        known = _hold(self._store.meta(_KEY))
        made = Hold(known.since if known is not None else now, by, reason)
        self._write(json.dumps({"since": made.since.isoformat(), "by": made.by, "reason": made.reason}))
        return made

    def release(self) -> None:
        """Switch off."""
        self._write("")

    def _write(self, text: str) -> None:
        self._store.set_meta(_KEY, text)
        with self._lock:
            self._known, self._read_at = _hold(text), monotonic()


def _hold(text: str | None) -> Hold | None:
    if not text:
        return None
    told = json.loads(text)
    return Hold(datetime.fromisoformat(told["since"]), told["by"], told["reason"])
