"""Response models of the notice to a shopper."""

from datetime import datetime

from pydantic import BaseModel

from agent.api.responses.money import MoneyAnswer, money
from agent.domain.decision import Disclosure, Reduction


class IgnoredAnswer(BaseModel):
    """An input that was not used, and why."""

    input: str
    reason: str


class ReductionAnswer(BaseModel):
    """A price reduction as it may be announced; `prior_price` is the lowest public price of the `days` before it."""

    prior_price: MoneyAnswer
    began: datetime
    days: int
    percent: int


class DutyAnswer(BaseModel):
    """Something that the page with the price must do, and the source that demands it."""

    do: str
    source: str


class DisclosureAnswer(BaseModel):
    """Notice to the shopper, as recorded, with the version of the law applied.

    Where `required`, the page shows `text` as `placement` says, if it says anything; `duties` are what else it must do.
    Where a law requires the prior price and `reduction` is null, no reduction may be announced. `consent` is the reason
    to which the shopper consented, of a price that is higher for it; `option` mentions the price for everyone.
    """

    required: bool
    text: str
    jurisdiction: str | None
    inputs_used: list[str]
    inputs_ignored: list[IgnoredAnswer]
    law: str | None
    option: str | None
    reduction: ReductionAnswer | None
    language: str | None
    placement: str | None
    duties: list[DutyAnswer]
    consent: str | None


def disclosure_answer(disclosure: Disclosure, currency: str) -> DisclosureAnswer:
    """The notice, with everything that entered and everything that did not."""
    return DisclosureAnswer(
        required=disclosure.required,
        text=disclosure.text,
        jurisdiction=disclosure.jurisdiction,
        inputs_used=list(disclosure.inputs_used),
        inputs_ignored=[IgnoredAnswer(input=i.input, reason=i.reason) for i in disclosure.inputs_ignored],
        law=disclosure.law,
        option=disclosure.option,
        reduction=None if disclosure.reduction is None else _reduction(disclosure.reduction, currency),
        language=disclosure.language,
        placement=disclosure.placement,
        duties=[DutyAnswer(do=duty.do, source=duty.source) for duty in disclosure.duties],
        consent=disclosure.consent,
    )


def _reduction(reduction: Reduction, currency: str) -> ReductionAnswer:
    return ReductionAnswer(
        prior_price=money(reduction.prior_minor, currency),
        began=reduction.began,
        days=reduction.days,
        percent=reduction.percent,
    )
