"""One merchant's rules over their store: changed through here, followed by every process within half a second."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Final

from agent.domain.records import RuleEvent, RuleEventKind
from agent.rules.document import RulesDocument
from agent.rules.history import RulesState, RuleVersion, Window, fold
from agent.rules.relaxation import loosened
from agent.rules.terms import MerchantRules
from agent.store import Store

FRESH_S: Final = 0.5  # a process sees a change this late at most
_TRIES: Final = 5
_SETTINGS: Final = RulesDocument()


class RuleError(ValueError):
    """Rules that cannot be changed as asked; the message says why and what may be done."""


class UnknownVersion(RuleError):
    """No version has this number."""


class NeedsApproval(RuleError):
    """The version loosens limits, and no second key has approved it; `loosens` says which."""

    def __init__(self, version: int, loosens: list[str]) -> None:
        """What is to be approved."""
        super().__init__(
            f"version {version} loosens limits ({'; '.join(loosens)}); remedy: another key than the one that proposed "
            "it approves it first"
        )
        self.loosens = loosens


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes rules, when, and what they say of it."""

    by: str
    at: datetime
    note: str = ""


class RuleBook:
    """Reads and changes one store's rules. Safe for several threads and processes."""

    def __init__(self, store: Store, settings: RulesDocument = _SETTINGS) -> None:
        """`settings` hold where no version says otherwise."""
        self._store = store
        self._settings = settings
        self._lock = Lock()
        self._state: RulesState | None = None
        self._read_at = float("-inf")
        self._made: dict[int, MerchantRules] = {0: MerchantRules(0, settings)}

    def current(self, now: datetime) -> MerchantRules:
        """The rules in effect; changes made elsewhere are seen within `FRESH_S`.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        window = self._known().in_effect(now)
        return self.rules(0 if window is None else window.version)

    def rules(self, version: int) -> MerchantRules:
        """A version as it would be applied, 0 for the settings alone.

        Raises:
            UnknownVersion: No version has this number.
        """
        made = self._made.get(version)
        if made is None:
            document = self._version(self._known(), version).document
            made = self._made[version] = MerchantRules(version, document.over(self._settings))
        return made

    def state(self) -> RulesState:
        """Everything decided so far, fresh from the store."""
        state = fold(self._store.rule_events())
        with self._lock:
            self._state, self._read_at = state, monotonic()
        return state

    def loosens(self, version: int, now: datetime, start: datetime | None = None) -> list[str]:
        """Limits that a version would loosen against the rules in effect now and at its start."""
        self.state()
        moments = (now,) if start is None else (now, start)
        against = {self.current(at).version for at in moments}
        new = self.rules(version).document
        return list(dict.fromkeys(why for held in against for why in loosened(self.rules(held).document, new)))

    def propose(self, document: RulesDocument, change: Change) -> RuleVersion:
        """Keep a new version; nothing is in effect yet."""

        def event(state: RulesState) -> RuleEvent:
            text = document.model_dump_json(exclude_none=True)
            number = len(state.versions) + 1
            return RuleEvent(state.seq + 1, RuleEventKind.PROPOSED, number, change.at, change.by, change.note, text)

        made = self._append(event)
        return self.state().versions[made.version]

    def approve(self, version: int, change: Change) -> RuleVersion:
        """Say yes to a version that another key proposed.

        Raises:
            UnknownVersion: No version has this number.
            RuleError: The same key proposed it.
        """

        def event(state: RulesState) -> RuleEvent:
            if self._version(state, version).by == change.by:
                raise RuleError(f"version {version} was proposed by {change.by!r}; allowed: approval by another key")
            return RuleEvent(state.seq + 1, RuleEventKind.APPROVED, version, change.at, change.by, change.note)

        self._append(event)
        return self.state().versions[version]

    def activate(
        self, version: int, change: Change, *, start: datetime | None = None, end: datetime | None = None
    ) -> Window:
        """Put a version in effect, from `start` (now when left out) to `end` (for good when left out).

        Raises:
            UnknownVersion: No version has this number.
            NeedsApproval: It loosens limits and no second key approved it.
            RuleError: The time is over, or ends before it begins.
        """
        begins = change.at if start is None else max(start, change.at)
        if end is not None and end <= begins:
            raise RuleError(f"the time ends at {end.isoformat()}; allowed: after {begins.isoformat()}")
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
        """Take back the activation in effect, or the latest one of a version that is not over yet; returns it.

        Raises:
            RuleError: There is none.
        """

        def event(state: RulesState) -> RuleEvent:
            if version is None:
                window = state.in_effect(change.at)
            else:
                self._version(state, version)
                open_windows = [w for w in state.windows if w.version == version and not w.over(change.at)]
                window = open_windows[-1] if open_windows else None
            if window is None:
                what = "no version is" if version is None else f"version {version} is neither"
                raise RuleError(f"{what} in effect{' nor scheduled' if version is not None else ''}; the settings hold")
            kind = RuleEventKind.ENDED
            return RuleEvent(state.seq + 1, kind, window.version, change.at, change.by, change.note, of_seq=window.seq)

        made = self._append(event)
        return next(window for window in self.state().windows if window.seq == made.of_seq)

    def _append(self, make: Callable[[RulesState], RuleEvent]) -> RuleEvent:
        """Append what `make` says of the newest state; made anew when another process was first."""
        for _ in range(_TRIES):
            event = make(self.state())
            if self._store.append_rule_event(event):
                return event
        raise RuleError("the rules are being changed by others; remedy: try again")

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
            raise UnknownVersion(f"there is no version {version} of the rules; allowed: 1 to {len(state.versions)}")
        return found
