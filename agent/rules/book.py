"""Rule book: reads and changes one merchant's rules; every process follows a change within half a second."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Final

from agent.domain.records import RuleEvent, RuleEventKind
from agent.rules.document import RulesDocument
from agent.rules.effective_rules import MerchantRules
from agent.rules.history import RulesState, RuleVersion, Window, fold
from agent.rules.relaxation import loosened
from agent.store import Store

FRESH_S: Final = 0.5  # longest delay until a process sees a change
_RETRIES: Final = 5
_SETTINGS: Final = RulesDocument()


class RuleError(ValueError):
    """The rules cannot be changed as asked; the message gives reason and remedy."""


class UnknownVersion(RuleError):
    """The version is unknown."""


class NeedsApproval(RuleError):
    """The version loosens limits without the approval of a second key; `loosens` lists them."""

    def __init__(self, version: int, loosens: list[str]) -> None:
        """`loosens` describes each loosened limit."""
        super().__init__(
            f"version {version} loosens limits ({'; '.join(loosens)}); remedy: approve it first, with another key "
            "than the one that proposed it"
        )
        self.loosens = loosens


@dataclass(frozen=True, slots=True)
class Change:
    """Record of a change: the id of the key that makes it, the time, a note."""

    by: str
    at: datetime
    note: str = ""


class RuleBook:
    """Rules of one store. Safe for several threads and processes."""

    def __init__(self, store: Store, settings: RulesDocument = _SETTINGS) -> None:
        """`settings` apply where no version says otherwise."""
        self._store = store
        self._settings = settings
        self._lock = Lock()
        self._state: RulesState | None = None
        self._read_at = float("-inf")
        self._by_version: dict[int, MerchantRules] = {0: MerchantRules(0, settings)}

    def current(self, now: datetime) -> MerchantRules:
        """The rules in effect; changes by other processes are seen within `FRESH_S`.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        window = self._known().in_effect(now)
        return self.rules(0 if window is None else window.version)

    def rules(self, version: int) -> MerchantRules:
        """The rules of a version; 0 is the settings alone.

        Raises:
            UnknownVersion: The version is unknown.
        """
        made = self._by_version.get(version)
        if made is None:
            document = self._version(self._known(), version).document
            made = self._by_version[version] = MerchantRules(version, document.over(self._settings))
        return made

    def version(self, number: int) -> RuleVersion:
        """A version as proposed, with its approvals.

        Raises:
            UnknownVersion: The version is unknown.
        """
        return self._version(self.state(), number)

    def state(self) -> RulesState:
        """The state after all events, read from the store."""
        state = fold(self._store.rule_events())
        with self._lock:
            self._state, self._read_at = state, monotonic()
        return state

    def loosens(self, version: int, now: datetime, start: datetime | None = None) -> list[str]:
        """Limits that a version loosens compared with the rules in effect now and at `start`, in words."""
        self.state()
        moments = (now,) if start is None else (now, start)
        against = {self.current(at).version for at in moments}
        new = self.rules(version).document
        return list(dict.fromkeys(why for held in against for why in loosened(self.rules(held).document, new)))

    def propose(self, document: RulesDocument, change: Change) -> RuleVersion:
        """Store a new version, which is not in effect before its activation."""

        def event(state: RulesState) -> RuleEvent:
            text = document.model_dump_json(exclude_none=True)
            number = len(state.versions) + 1
            return RuleEvent(state.seq + 1, RuleEventKind.PROPOSED, number, change.at, change.by, change.note, text)

        made = self._append(event)
        return self.state().versions[made.version]

    def approve(self, version: int, change: Change) -> RuleVersion:
        """Approve a version that another key proposed.

        Raises:
            UnknownVersion: The version is unknown.
            RuleError: The same key proposed it.
        """

        def event(state: RulesState) -> RuleEvent:
            if self._version(state, version).by == change.by:
                raise RuleError(
                    f"version {version} was proposed by the same key, {change.by!r}; allowed: approval with another key"
                )
            return RuleEvent(state.seq + 1, RuleEventKind.APPROVED, version, change.at, change.by, change.note)

        self._append(event)
        return self.state().versions[version]

    def activate(
        self, version: int, change: Change, *, start: datetime | None = None, end: datetime | None = None
    ) -> Window:
        """Put a version in effect from `start`, by default now, to `end`, by default without end.

        Raises:
            UnknownVersion: The version is unknown.
            NeedsApproval: It loosens limits without the approval of a second key.
            RuleError: `end` is not after the start.
        """
        begins = change.at if start is None else max(start, change.at)
        if end is not None and end <= begins:
            raise RuleError(f"the activation ends at {end.isoformat()}; allowed: after its start, {begins.isoformat()}")
        if not self._version(self.state(), version).approved_by and (
            loosens := self.loosens(version, change.at, begins)
        ):
            raise NeedsApproval(version, loosens)

        def event(state: RulesState) -> RuleEvent:
            kind = RuleEventKind.ACTIVATED
            return RuleEvent(
                state.seq + 1, kind, version, change.at, change.by, change.note, active_from=begins, active_until=end
            )

        made = self._append(event)
        return next(window for window in self.state().windows if window.seq == made.seq)

    def rollback(self, change: Change, version: int | None = None) -> Window:
        """End the activation in effect, or the latest unfinished one of a version; returns it.

        Raises:
            RuleError: There is no such activation.
        """

        def event(state: RulesState) -> RuleEvent:
            if version is None:
                window = state.in_effect(change.at)
            else:
                self._version(state, version)
                open_windows = [w for w in state.windows if w.version == version and not w.over(change.at)]
                window = open_windows[-1] if open_windows else None
            if window is None:
                if version is None:
                    raise RuleError("no version is in effect: the settings apply, and there is nothing to roll back")
                raise RuleError(f"version {version} is neither in effect nor scheduled; allowed: one that is")
            kind = RuleEventKind.ENDED
            return RuleEvent(state.seq + 1, kind, window.version, change.at, change.by, change.note, of_seq=window.seq)

        made = self._append(event)
        return next(window for window in self.state().windows if window.seq == made.of_seq)

    def _append(self, make: Callable[[RulesState], RuleEvent]) -> RuleEvent:
        """Append the event that `make` returns for the latest state, again if another process was faster."""
        for _ in range(_RETRIES):
            event = make(self.state())
            if self._store.append_rule_event(event):
                return event
        raise RuleError("other processes are changing the rules; remedy: try again")

    def _known(self) -> RulesState:
        with self._lock:
            state, stale = self._state, monotonic() - self._read_at > FRESH_S
        if state is not None and stale and self._store.rule_seq() == state.seq:
            with self._lock:
                self._read_at = monotonic()
            return state
        return self.state() if state is None or stale else state

    def _version(self, state: RulesState, version: int) -> RuleVersion:
        found = state.versions.get(version)
        if found is None:
            known = f"1 to {len(state.versions)}" if state.versions else "none yet"
            raise UnknownVersion(f"no version of the rules has the number {version}; allowed: {known}")
        return found
