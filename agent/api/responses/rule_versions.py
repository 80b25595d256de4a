"""Response models for the versions of a merchant's rules."""

from dataclasses import asdict
from datetime import datetime

from agent.api.responses.answer import Answer
from agent.rules.book import RuleBook
from agent.rules.document import RulesDocument
from agent.rules.history import RuleVersion, Window
from agent.rules.preview import Preview


class WindowAnswer(Answer, title="Activation"):
    """One activation of a version."""

    version: int
    """Number of the version."""
    active_from: datetime
    """When it takes effect."""
    active_until: datetime | None
    """When it ends; null without an end."""
    by: str
    """Id of the key that activated it."""
    ended: datetime | None
    """When it was rolled back, if it was."""


class VersionAnswer(Answer, title="RulesVersion"):
    """One version of the rules."""

    version: int
    """Its number."""
    at: datetime
    """When it was proposed."""
    by: str
    """Id of the key that proposed it."""
    note: str
    """Why it was proposed."""
    approved_by: list[str]
    """Ids of the keys that approved it."""
    loosens: list[str]
    """Limits that it loosens compared with the rules in effect now."""
    document: RulesDocument
    """The rules."""


class RulesAnswer(Answer, title="RulesInEffect"):
    """The rules in effect."""

    version: int
    """Number of the version in effect; 0 where none is."""
    rules: RulesDocument
    """The rules, completed from the settings."""
    in_effect: WindowAnswer | None
    """The activation in effect."""
    scheduled: list[WindowAnswer]
    """Activations to come."""
    versions: int
    """Number of versions."""


class VersionsAnswer(Answer, title="RulesVersions"):
    """All versions and activations."""

    versions: list[VersionAnswer]
    """Versions, oldest first."""
    activations: list[WindowAnswer]
    """Activations, oldest first."""


class ChangeAnswer(Answer, title="PriceChange"):
    """A quote whose price would change."""

    quote_id: str
    """Id of the quote."""
    product_id: str | None
    """Id of its product."""
    before_minor: int
    """Its price, in minor units."""
    after_minor: int
    """Its price under the version, in minor units."""
    reference_minor: int
    """Its reference price, in minor units."""
    currency: str
    """ISO 4217 code of the amounts."""


class ProfitAnswer(Answer, title="ProfitComparison"):
    """Expected profit of the quotes in one currency, in minor units."""

    currency: str
    """ISO 4217 code of the amounts."""
    quotes: int
    """Number of quotes compared."""
    before: float
    """Expected profit at the prices quoted."""
    after: float
    """Expected profit under the version."""
    mean_difference: float
    """Mean difference a quote."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end of its 95 % interval."""


class PreviewAnswer(Answer, title="RulesPreview"):
    """The last day's quotes priced under a version."""

    since: datetime
    """First moment looked at."""
    until: datetime
    """Last moment looked at."""
    quotes: int
    """Quotes in that time."""
    compared: int
    """Quotes that could be priced again."""
    changed: int
    """Quotes whose price would change."""
    raised: int
    """Quotes whose price would rise."""
    lowered: int
    """Quotes whose price would fall."""
    mean_change_frac: float
    """Mean change, a fraction of the reference price."""
    largest: list[ChangeAnswer]
    """The largest changes."""
    profit: list[ProfitAnswer]
    """Expected profit by currency."""


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
