"""The merchant's rules, their versions and a preview, as the API and the command line answer."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from agent.rules.book import RuleBook
from agent.rules.document import RulesDocument
from agent.rules.history import RuleVersion, Window

if TYPE_CHECKING:
    from agent.rules.preview import Preview  # loads numpy, which reading rules does not need


class WindowAnswer(BaseModel):
    """One activation; `ended` is when it was rolled back."""

    version: int
    active_from: datetime
    active_until: datetime | None
    by: str
    ended: datetime | None


class VersionAnswer(BaseModel):
    """One version; `loosens` are the limits that it loosens against the rules in effect now."""

    version: int
    at: datetime
    by: str
    note: str
    approved_by: list[str]
    loosens: list[str]
    document: RulesDocument


class RulesAnswer(BaseModel):
    """What holds now, complete with what the settings say; `version` is 0 when no version is in effect."""

    version: int
    rules: RulesDocument
    in_effect: WindowAnswer | None
    scheduled: list[WindowAnswer]
    versions: int


class VersionsAnswer(BaseModel):
    """All versions, oldest first, and every activation."""

    versions: list[VersionAnswer]
    activations: list[WindowAnswer]


class ChangeAnswer(BaseModel):
    """A quote whose price would be another; minor units."""

    quote_id: str
    product_id: str | None
    before_minor: int
    after_minor: int
    reference_minor: int
    currency: str


class ProfitAnswer(BaseModel):
    """Expected profit of the quotes in one currency, minor units; `low`, `high` bound the mean difference, 95 %."""

    currency: str
    quotes: int
    before: float
    after: float
    mean_difference: float
    low: float
    high: float


class PreviewAnswer(BaseModel):
    """What the last day's quotes would be under a version; shares are of the reference price."""

    since: datetime
    until: datetime
    quotes: int
    compared: int
    changed: int
    raised: int
    lowered: int
    mean_change_frac: float
    largest: list[ChangeAnswer]
    profit: list[ProfitAnswer]


def rules_answer(book: RuleBook, now: datetime) -> RulesAnswer:
    """What holds now."""
    state = book.state()
    window, rules = state.in_effect(now), book.current(now)
    return RulesAnswer(
        version=rules.version,
        rules=rules.document,
        in_effect=None if window is None else window_answer(window),
        scheduled=[window_answer(one) for one in state.scheduled(now)],
        versions=len(state.versions),
    )


def versions_answer(book: RuleBook, now: datetime) -> VersionsAnswer:
    """All versions and activations."""
    state = book.state()
    return VersionsAnswer(
        versions=[version_answer(book, version, now) for version in state.versions.values()],
        activations=[window_answer(window) for window in state.windows],
    )


def version_answer(book: RuleBook, version: RuleVersion, now: datetime) -> VersionAnswer:
    """One version."""
    return VersionAnswer(
        version=version.number,
        at=version.at,
        by=version.by,
        note=version.note,
        approved_by=list(version.approved_by),
        loosens=book.loosens(version.number, now),
        document=version.document,
    )


def window_answer(window: Window) -> WindowAnswer:
    """One activation."""
    return WindowAnswer(
        version=window.version, active_from=window.start, active_until=window.end, by=window.by, ended=window.ended
    )


def preview_answer(found: "Preview") -> PreviewAnswer:
    """A preview."""
    return PreviewAnswer.model_validate(asdict(found))
