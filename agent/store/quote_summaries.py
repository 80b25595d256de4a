"""Summaries of recorded decisions, read from their columns and a part of their body."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Row

from agent.domain.candidates import Source
from agent.domain.decision import GuardAction, HeldReason, Rung, limits_set_price
from agent.store.errors import StoreError
from models.strategist.strategy import Lever, Strategy


@dataclass(frozen=True, slots=True)
class QuoteSummary:
    """A recorded decision in a few fields; prices are per unit, in minor units of `currency`.

    Attributes:
        strategy_name: Display name of the strategy, or of the limit that set the price.
        law: Code and version of the law applied.
    """

    id: str
    at: datetime
    valid_until: datetime
    shopper_id: str | None
    product_id: str | None
    product_title: str
    currency: str
    quantity: int
    price_minor: int
    reference_minor: int
    list_minor: int | None
    personalised: bool
    strategy_name: str
    lever: Lever
    source: Source
    rung: Rung
    held: HeldReason | None
    explored: bool
    jurisdiction: str | None
    law: str | None


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Rule(_Lenient):
    rule: str


class _Disclosure(_Lenient):
    jurisdiction: str | None
    law: str | None = None


class _Decision(_Lenient):
    valid_until: datetime
    product_title: str
    quantity: int
    list_minor: int | None
    strategy: Strategy
    trail: tuple[_Rule, ...]
    disclosure: _Disclosure
    held: HeldReason | None = None
    guard: GuardAction | None = None
    explored: bool = False


class _Body(_Lenient):
    format: Literal[2, 3]
    decision: _Decision


def read_summary(row: Row[Any]) -> QuoteSummary:
    """The summary of a row with all columns of decisions but `personal`.

    Raises:
        StoreError: The body is not a decision in a known format.
    """
    try:
        body = _Body.model_validate_json(row.body).decision
    except ValidationError as error:
        raise StoreError(
            f"the stored decision {row.id} cannot be read; remedy: use the Pricesmith version that wrote it"
        ) from error
    limited = limits_set_price(body.guard, row.price_minor != row.reference_minor, bool(body.trail)) and body.trail
    return QuoteSummary(
        id=row.id,
        at=row.at,
        valid_until=body.valid_until,
        shopper_id=row.shopper_id,
        product_id=row.product_id,
        product_title=body.product_title,
        currency=row.currency,
        quantity=body.quantity,
        price_minor=row.price_minor,
        reference_minor=row.reference_minor,
        list_minor=body.list_minor,
        personalised=row.personalised,
        strategy_name=f"limits: {limited[-1].rule}" if limited else body.strategy.name,
        lever=row.lever,
        source=row.source,
        rung=row.rung,
        held=body.held,
        explored=body.explored,
        jurisdiction=body.disclosure.jurisdiction,
        law=body.disclosure.law,
    )
