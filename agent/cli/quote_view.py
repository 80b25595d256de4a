"""A quote as the terminal shows it, whether it was made in this process or by a server."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent.cli.output import print_facts, print_table, store_fact
from agent.domain.money import show
from agent.store import StoreKind


class _Part(BaseModel):
    """A part of a quote; fields that are not shown are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Money(_Part):
    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return show(self.amount_minor, self.currency)


class _Score(_Part):
    value: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        return f"{self.value:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


class _Scores(_Part):
    purchase_probability: _Score
    profit: _Score
    satisfaction: _Score


class _Strategy(_Part):
    name: str
    source: str
    rationale: str


class _Candidate(_Part):
    strategy: _Strategy
    price: _Money
    scores: _Scores
    chosen: bool


class _Step(_Part):
    rule: str
    before: _Money = Field(validation_alias="from")
    after: _Money = Field(validation_alias="to")
    detail: str


class _Disclosure(_Part):
    text: str


class _Quote(_Part):
    id: str
    store: StoreKind | None = None
    product_id: str | None
    price: _Money
    reference_price: _Money
    disclosure: _Disclosure
    strategy: _Strategy | None = None
    confidence: float | None = None
    rung: str | None = None
    trail: tuple[_Step, ...] = ()
    candidates: tuple[_Candidate, ...] | None = None


def print_quote(answer: Mapping[str, Any]) -> None:
    """Print a quote, the rules that moved its price and every candidate.

    Args:
        answer: As `POST /v1/quotes?include=candidates` answers, or in the shopper's view.

    Raises:
        ValidationError: It is no such answer.
    """
    quote = _Quote.model_validate(answer)
    facts: dict[str, object] = {
        **({} if quote.store is None else store_fact(quote.store, json=False)),
        "price": quote.price,
        "reference price": quote.reference_price,
        "product": quote.product_id or "not in the catalogue",
    }
    if quote.strategy is not None:
        facts["strategy"] = f"{quote.strategy.name} (from {quote.strategy.source})"
        facts["why"] = quote.strategy.rationale
        facts["confidence"] = f"{quote.confidence or 0.0:.2f}"
        facts["rung"] = quote.rung
    facts |= {"disclosure": quote.disclosure.text, "quote id": quote.id}
    for step in quote.trail:
        facts[f"rule {step.rule}"] = f"{step.before} -> {step.after} ({step.detail})"
    print_facts(facts)
    rows = [
        (
            "*" if candidate.chosen else "",
            candidate.strategy.name,
            candidate.strategy.source,
            candidate.price,
            candidate.scores.purchase_probability.text(4),
            candidate.scores.profit.text(2),
            candidate.scores.satisfaction.text(3),
        )
        for candidate in quote.candidates or ()
    ]
    if quote.strategy is None:
        return
    columns = ("", "strategy", "source", "price", "purchase", "profit (minor units)", "satisfaction")
    print_table("Candidates (* was chosen)", columns, rows)
