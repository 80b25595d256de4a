"""Response models of lists by page."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from agent.api.responses.answer import Answer
from agent.api.responses.money import MoneyAnswer, money
from agent.domain.candidates import Source
from agent.domain.decision import HeldReason, Rung
from agent.domain.records import Attribute, EventRecord, EventType, OutcomeRecord, OutcomeType, ShopperRecord
from agent.domain.request import Personalisation
from agent.store.quote_summaries import QuoteSummary
from models.strategist.strategy import Lever

HasMore = Annotated[bool, Field(description="Whether rows follow.")]
Next = Annotated[str | None, Field(description="Cursor of the next page, to be sent as `after`; null at the end.")]


class ListedStrategy(Answer):
    """The strategy that set a price."""

    name: str = Field(description="Display name; that of the limit that set the price where one did.")
    lever: Lever = Field(description="Reason for the price.")
    source: Source = Field(description="Who proposed it.")


class ListedQuote(Answer):
    """A recorded quote in short; `GET /v1/quotes/{quote_id}` has everything. Prices are per unit."""

    id: str = Field(description="Id of the quote.")
    at: datetime = Field(description="When it was priced.")
    product_id: str | None = Field(description="Id of the product; null where only a description was sent.")
    product_title: str = Field(description="Title of the product as it was then.")
    shopper_id: str | None = Field(description="Id of the shopper; null where unknown or erased.")
    quantity: int = Field(description="Units asked for.")
    price: MoneyAnswer = Field(description="Price of a unit.")
    reference_price: MoneyAnswer = Field(description="Price for everyone.")
    list_price: MoneyAnswer | None = Field(description="List price; null where unknown.")
    personalised: bool = Field(description="Whether personal data made this another price than the reference price.")
    strategy: ListedStrategy = Field(description="The strategy that set the price.")
    rung: Rung = Field(description="Fallback level that the deadline allowed.")
    held: HeldReason | None = Field(description="Why the reference price was held; null where it was not.")
    explored: bool = Field(description="Whether the price was shown to learn how it sells.")
    jurisdiction: str | None = Field(description="Jurisdiction whose law was applied.")
    law: str | None = Field(description="Code and version of the law applied.")
    valid_until: datetime = Field(description="End of the quote.")


class QuotesPage(Answer):
    """Quotes, newest first."""

    items: list[ListedQuote] = Field(description="Rows of the page.")
    has_more: HasMore
    next: Next


class StoredOutcome(Answer):
    """A stored outcome of a quote, or of an offer made elsewhere and imported."""

    id: str = Field(description="Id of the outcome.")
    quote_id: str | None = Field(description="Id of the quote; null for an imported offer.")
    product_id: str | None = Field(description="Id of the product.")
    shopper_id: str | None = Field(description="Id of the shopper; null where unknown or erased.")
    type: OutcomeType = Field(description="What the shopper did.")
    quantity: int = Field(description="Units of the outcome.")
    at: datetime = Field(description="When it happened.")
    price: MoneyAnswer = Field(description="Price of a unit as offered.")
    reference_price: MoneyAnswer | None = Field(description="Price for everyone then; null where unknown.")
    propensity: float | None = Field(description="Probability with which the price was chosen; null where unknown.")
    returned: bool | None = Field(
        default=None, description="Whether an imported sale was returned; null where unknown, and at quotes."
    )
    rating: float | None = Field(default=None, description="The shopper's rating of what was bought; null without one.")


class OutcomesPage(Answer):
    """Outcomes, newest first."""

    items: list[StoredOutcome] = Field(description="Rows of the page.")
    has_more: HasMore
    next: Next


class ListedEvent(Answer):
    """A stored behaviour event."""

    id: str | None = Field(description="Id of the event; null in events of early releases.")
    shopper_id: str = Field(description="Id of the shopper.")
    type: EventType = Field(description="What the shopper did.")
    at: datetime = Field(description="When it happened, on the calendar of the store's history.")
    product_id: str | None = Field(description="Id of the product.")
    quantity: int = Field(description="Units.")
    price: MoneyAnswer | None = Field(description="Price of a unit that was paid; null where unknown.")
    list_price: MoneyAnswer | None = Field(description="List price then; null where unknown.")
    text: str = Field(description="Words of the event, such as a search.")


class EventsPage(Answer):
    """Events, newest first."""

    items: list[ListedEvent] = Field(description="Rows of the page.")
    has_more: HasMore
    next: Next


class ListedShopper(Answer):
    """A shopper's profile and consent; they may be sent back to `PUT /v1/shoppers/{shopper_id}` as they are."""

    id: str = Field(description="Id of the shopper.")
    profile: dict[str, Attribute] = Field(description="Attributes; empty where none are stored.")
    personalisation: Personalisation = Field(description="Whether the shopper's data may be used.")


class ShoppersPage(Answer):
    """Shoppers by id."""

    items: list[ListedShopper] = Field(description="Rows of the page.")
    has_more: HasMore
    next: Next


def listed_quote(found: QuoteSummary) -> ListedQuote:
    """A row of the list of quotes."""
    currency = found.currency
    return ListedQuote(
        id=found.id,
        at=found.at,
        product_id=found.product_id,
        product_title=found.product_title,
        shopper_id=found.shopper_id,
        quantity=found.quantity,
        price=money(found.price_minor, currency),
        reference_price=money(found.reference_minor, currency),
        list_price=optional_money(found.list_minor, currency),
        personalised=found.personalised,
        strategy=ListedStrategy(name=found.strategy_name, lever=found.lever, source=found.source),
        rung=found.rung,
        held=found.held,
        explored=found.explored,
        jurisdiction=found.jurisdiction,
        law=found.law,
        valid_until=found.valid_until,
    )


def stored_outcome(found: OutcomeRecord) -> StoredOutcome:
    """An outcome as stored."""
    return StoredOutcome(
        id=found.outcome_id,
        quote_id=found.quote_id,
        product_id=found.product_id,
        shopper_id=found.shopper_id,
        type=found.type,
        quantity=found.quantity,
        at=found.at,
        price=money(found.price_minor, found.currency),
        reference_price=optional_money(found.reference_minor, found.currency),
        propensity=found.propensity,
        returned=found.returned,
        rating=found.rating,
    )


def listed_event(found: EventRecord) -> ListedEvent:
    """A row of the list of events."""
    return ListedEvent(
        id=found.event_id,
        shopper_id=found.shopper_id,
        type=found.type,
        at=found.at,
        product_id=found.product_id,
        quantity=found.quantity,
        price=optional_money(found.price_minor, found.currency),
        list_price=optional_money(found.list_minor, found.currency),
        text=found.text,
    )


def listed_shopper(found: ShopperRecord) -> ListedShopper:
    """A row of the list of shoppers."""
    consent = Personalisation.ON if found.personalisation else Personalisation.OFF
    return ListedShopper(id=found.shopper_id, profile=dict(found.profile), personalisation=consent)


def optional_money(amount_minor: int | None, currency: str | None) -> MoneyAnswer | None:
    """An amount, None where it or its currency is unknown."""
    return None if amount_minor is None or not currency else money(amount_minor, currency)
