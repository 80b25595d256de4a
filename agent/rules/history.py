"""History of rules: the state after an append-only list of events (proposed, approved, activated, ended).

Of all activations whose time includes a moment, the one made last is in effect. When it ends, by time or by rollback,
the one made before it takes effect again; without any activation the settings apply.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.domain.records import RuleEvent, RuleEventKind
from agent.rules.document import RulesDocument


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A proposed document; `approved_by` are ids of keys other than the one that proposed it."""

    number: int
    document: RulesDocument
    at: datetime
    by: str
    note: str
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """An activation of a version from `start`, included, to `end`, excluded; `ended` is the time of its rollback."""

    seq: int
    version: int
    start: datetime
    end: datetime | None
    by: str
    ended: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether the activation includes a moment."""
        return self.start <= at and (self.end is None or at < self.end) and (self.ended is None or at < self.ended)

    def over(self, at: datetime) -> bool:
        """Whether the activation includes no moment from `at` on."""
        return self.ended is not None or (self.end is not None and self.end <= at)


@dataclass(frozen=True, slots=True)
class RulesState:
    """The state after the event numbered `seq`."""

    seq: int = 0
    versions: Mapping[int, RuleVersion] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()

    def in_effect(self, at: datetime) -> Window | None:
        """The activation in effect at a moment; None when only the settings apply."""
        return next((window for window in reversed(self.windows) if window.holds(at)), None)

    def scheduled(self, at: datetime) -> list[Window]:
        """Activations that begin after a moment."""
        return [window for window in self.windows if window.start > at and not window.over(at)]


def fold(events: Iterable[RuleEvent]) -> RulesState:
    """The state after all events, in order."""
    versions: dict[int, RuleVersion] = {}
    windows: dict[int, Window] = {}
    seq = 0
    for event in events:
        seq = event.seq
        if event.kind is RuleEventKind.PROPOSED:
            document = RulesDocument.model_validate_json(event.document or "{}")
            versions[event.version] = RuleVersion(event.version, document, event.at, event.by, event.note)
        elif event.kind is RuleEventKind.APPROVED:
            known = versions[event.version]
            versions[event.version] = replace(known, approved_by=(*known.approved_by, event.by))
        elif event.kind is RuleEventKind.ACTIVATED:
            start = event.active_from or event.at
            windows[event.seq] = Window(event.seq, event.version, start, event.active_until, event.by)
        elif event.of_seq is not None:
            windows[event.of_seq] = replace(windows[event.of_seq], ended=event.at)
    return RulesState(seq, versions, tuple(windows.values()))
