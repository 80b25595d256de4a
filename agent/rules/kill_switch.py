"""Kill switch: while it is on, every quote is the reference price. Stored, so that all processes follow it."""

import json
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Final

from agent.store import Store

RULE: Final = "kill_switch"
FRESH_S: Final = 0.5  # longest delay until a process sees a change
_KEY: Final = "kill_switch"


@dataclass(frozen=True, slots=True)
class Hold:
    """State of the switch while on: since when, by which key, why."""

    since: datetime
    by: str
    reason: str


class KillSwitch:
    """The kill switch of one store. Safe for several threads."""

    def __init__(self, store: Store) -> None:
        """Keep the switch in `store`."""
        self._store = store
        self._lock = Lock()
        self._known: Hold | None = None
        self._read_at = float("-inf")

    def state(self) -> Hold | None:
        """The current hold, at most `FRESH_S` old; None while the switch is off.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        with self._lock:
            if monotonic() - self._read_at > FRESH_S:
                text = self._store.meta(_KEY)
                self._known = _hold(text)
                self._read_at = monotonic()
            return self._known

    def hold(self, by: str, reason: str, now: datetime) -> Hold:
        """Switch on; a hold in place keeps its start."""
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
    fields = json.loads(text)
    return Hold(datetime.fromisoformat(fields["since"]), fields["by"], fields["reason"])
