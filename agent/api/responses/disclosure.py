"""Response models of the notice to a shopper, for the OpenAPI document; `quote_json` writes their fields."""

from datetime import datetime

from agent.api.responses.answer import Answer
from agent.api.responses.money import MoneyAnswer


class IgnoredAnswer(Answer, title="IgnoredInput"):
    """An input that was not used, and why."""

    input: str
    """Name of the input, such as `gender`."""
    reason: str
    """Why it was not used."""


class ReductionAnswer(Answer, title="PriceReduction"):
    """A price reduction as it may be announced."""

    prior_price: MoneyAnswer
    """The lowest public price of the `days` before the reduction."""
    began: datetime
    """When the reduction began."""
    days: int
    """Days before it that `prior_price` looks back on."""
    percent: int
    """Reduction in whole percent of `prior_price`."""


class DutyAnswer(Answer, title="Duty"):
    """Something that the page with the price must do."""

    do: str
    """The duty, in one sentence."""
    source: str
    """The law that demands it."""


class DisclosureAnswer(Answer):
    """Notice to the shopper as recorded, with the version of the law applied."""

    required: bool
    """Whether the notice must be shown."""
    text: str
    """The notice."""
    jurisdiction: str | None
    """Whose law applies, such as `US-NY`."""
    inputs_used: list[str]
    """Inputs that entered the decision."""
    inputs_ignored: list[IgnoredAnswer]
    """Inputs that were given and not used."""
    law: str | None
    """Version of the law applied."""
    option: str | None
    """A sentence that mentions the price for everyone, where the law wants one."""
    reduction: ReductionAnswer | None
    """The reduction as it may be announced; null where none may be announced as one."""
    language: str | None
    """Language of `text`: `en` or `zh`; null in older quotes."""
    placement: str | None
    """Where and how a required notice must stand; null where the law does not say."""
    duties: list[DutyAnswer]
    """What else the page with the price must do."""
    consent: str | None
    """Reason that the shopper was told before consenting to a higher price, where this price is one."""
