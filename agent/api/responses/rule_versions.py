"""Response models for the versions of a merchant's rules."""

from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel

from agent.rules.book import RuleBook
from agent.rules.document import RulesDocument
from agent.rules.history import RuleVersion, Window
from agent.rules.preview import Preview


class WindowAnswer(BaseModel):
    """One activation; `ended` is the time of its rollback."""

    version: int
    active_from: datetime
    active_until: datetime | None
    by: str
    ended: datetime | None


class VersionAnswer(BaseModel):
    """One version; `loosens` lists the limits that it loosens compared with the rules in effect now."""

    version: int
    at: datetime
    by: str
    note: str
    approved_by: list[str]
    loosens: list[str]
    document: RulesDocument


class RulesAnswer(BaseModel):
    """The rules in effect, completed from the settings; `version` is 0 when no version is in effect."""

    version: int
    rules: RulesDocument
    in_effect: WindowAnswer | None
    scheduled: list[WindowAnswer]
    versions: int


class VersionsAnswer(BaseModel):
    """All versions and activations, oldest first."""

    versions: list[VersionAnswer]
    activations: list[WindowAnswer]


class ChangeAnswer(BaseModel):
    """A quote whose price would change; minor units."""

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
    """The last day's quotes priced under a version; fractions are of the reference price."""

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
    """The rules in effect and the scheduled activations."""
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


def one_version_answer(book: RuleBook, number: int, now: datetime) -> VersionAnswer:
    """A version by its number.

    Raises:
        UnknownVersion: No version has it.
    """
    return version_answer(book, book.version(number), now)


def version_answer(book: RuleBook, version: RuleVersion, now: datetime) -> VersionAnswer:
    """One version, compared with the rules in effect at `now`."""
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


def preview_answer(found: Preview) -> PreviewAnswer:
    """A preview as the contract has it."""
    return PreviewAnswer.model_validate(asdict(found))
