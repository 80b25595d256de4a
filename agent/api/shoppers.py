"""HTTP handlers for the data of one shopper: set, export, erase."""

from datetime import datetime
from typing import Any, Final

from litestar import Controller, Response, delete, get, put
from pydantic import JsonValue, TypeAdapter

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.body import validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer
from agent.api.openapi import SECURITY, operation
from agent.api.paths import ShopperId
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.answer import Answer
from agent.api.responses.quote_json import recorded_fields
from agent.api.responses.quotes import RecordedQuote
from agent.api.responses.rendering import json_response
from agent.domain.fields import Id, Strict
from agent.domain.records import Attribute, EventType, OutcomeType, ShopperRecord
from agent.domain.refusal import FieldProblem
from agent.domain.request import Attributes, Personalisation
from agent.service.auth.api_keys import Scope
from agent.service.privacy import ShopperData
from agent.store.erasure import Erased


class ShopperIn(Strict, title="ShopperSettings"):
    """A shopper's profile and consent to personalisation; a field left out is reset.

    A row of the list of shoppers may be sent back as it is: `id`, where given, is that of the path.
    """

    id: Id | None = None
    """Id of the shopper: that of the path."""
    profile: Attributes | None = None
    """What is known of the shopper, by name."""
    personalisation: Personalisation = Personalisation.ON
    """Whether the shopper's data may be used."""


class EventOut(Answer, title="ExportedEvent"):
    """A stored event."""

    type: EventType
    """Kind of behaviour."""
    at: datetime
    """When it happened."""
    product_id: str | None
    """The product concerned."""
    quantity: int
    """Units added, removed or bought."""
    price_minor: int | None
    """Price of one unit, in minor units."""
    currency: str | None
    """ISO 4217 code of the price."""
    text: str
    """What was searched for."""


class OutcomeOut(Answer, title="ExportedOutcome"):
    """A stored outcome."""

    id: str
    """Id of the outcome."""
    quote_id: str | None
    """Id of its quote; null for an offer made elsewhere."""
    product_id: str | None
    """Id of the product."""
    type: OutcomeType
    """What the shopper did."""
    quantity: int
    """Units."""
    at: datetime
    """When it happened."""
    price_minor: int
    """Price of one unit, in minor units."""
    currency: str
    """ISO 4217 code of the price."""
    returned: bool | None = None
    """Whether an imported sale was returned; null where nothing was reported. Returns at quotes are outcomes."""
    rating: float | None = None
    """The shopper's rating of what was bought, 1 to 5; null without one."""


class DecisionOut(Answer, title="RecordedDecision"):
    """A quote and its request."""

    quote: RecordedQuote
    """The quote."""
    request: dict[str, JsonValue] | None
    """The request, as far as it was used."""


class InferredOut(Answer, title="InferredFeatures"):
    """Features derived from the shopper's past."""

    behaviour: str
    """The text that the encoder reads."""
    purchases_by_category: dict[str, int]
    """Units bought, by category."""


class ShopperAnswer(Answer, title="ShopperData"):
    """All stored data of a shopper."""

    id: str
    """Id of the shopper."""
    profile: dict[str, Attribute]
    """What is known of the shopper, by name."""
    personalisation: Personalisation
    """Whether the shopper's data may be used."""
    events: list[EventOut]
    """Behaviour, oldest first."""
    decisions: list[DecisionOut]
    """Quotes with their requests, oldest first."""
    outcomes: list[OutcomeOut]
    """Outcomes, oldest first."""
    inferred: InferredOut
    """Features derived from the above."""


class ErasedAnswer(Answer, title="Erasure"):
    """Number of rows erased or anonymised; all 0 when nothing was stored."""

    profile: int
    """Profiles."""
    events: int
    """Events."""
    decisions: int
    """Quotes."""
    outcomes: int
    """Outcomes."""
    answers: int
    """Answers kept for idempotency keys."""


class StoredShopper(Answer, title="ShopperConsent"):
    """The consent as set."""

    id: str
    """Id of the shopper."""
    personalisation: Personalisation
    """Whether the shopper's data may be used."""


_SHOPPER: Final = TypeAdapter(ShopperIn)


class ShopperController(Controller):
    """Data of one shopper."""

    path = "/v1/shoppers"
    tags = ("shoppers",)
    security = SECURITY

    @get(
        "/{shopper_id:str}",
        operation_id="getShopper",
        operation_class=operation(None, ShopperAnswer),
        summary="Export a shopper's data",
    )
    async def export(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Export all stored data of a shopper and the features derived from it."""
        context = await authorise(request, Scope.MERCHANT)
        known = await context.run(context.service.shopper, shopper_id)
        if known is None:
            detail = f"nothing is stored about the shopper {shopper_id[:80]!r}"
            raise Problem(404, detail, code=Code.NOT_FOUND)
        return json_response(shopper_answer(known))

    @put(
        "/{shopper_id:str}",
        operation_id="putShopper",
        operation_class=operation(ShopperIn, StoredShopper, examples=examples.SHOPPER),
        summary="Set profile and consent",
    )
    async def set(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Set profile and consent from the next quote on; those in a quote request take precedence."""

        async def work(value: Any, context: AppContext) -> StoredShopper:
            asked = validate(_SHOPPER, value)
            if asked.id not in (None, shopper_id):
                problem = FieldProblem("id", "is not the id in the path", (asked.id or "")[:80], shopper_id[:80])
                raise Problem(422, "1 invalid field: id", [problem], code=Code.FIELDS_INVALID)
            record = ShopperRecord(shopper_id, asked.profile or {}, asked.personalisation is Personalisation.ON)
            await context.run(context.service.set_shopper, record)
            return StoredShopper(id=shopper_id, personalisation=asked.personalisation)

        return await answer(request, Scope.MERCHANT, work)

    @delete(
        "/{shopper_id:str}",
        status_code=200,
        operation_id="deleteShopper",
        operation_class=operation(None, ErasedAnswer),
        summary="Erase a shopper's data",
    )
    async def erase(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Erase a shopper's data; prices and sales stay, without the shopper. Safe to repeat."""
        context = await authorise(request, Scope.MERCHANT)
        erased = await context.run(context.service.erase_shopper, shopper_id)
        return json_response(erased_answer(erased))


def shopper_answer(known: ShopperData) -> ShopperAnswer:
    """A shopper's data as the contract has it."""
    own = known.record
    return ShopperAnswer(
        id=known.shopper_id,
        profile=dict(own.profile) if own is not None else {},
        personalisation=Personalisation.OFF if own is not None and not own.personalisation else Personalisation.ON,
        events=[EventOut.model_validate(event, from_attributes=True) for event in known.events],
        decisions=[
            DecisionOut(quote=RecordedQuote.model_validate(recorded_fields(decision, [])), request=request)
            for decision, request in known.decisions
        ],
        outcomes=[
            OutcomeOut(
                id=outcome.outcome_id,
                quote_id=outcome.quote_id,
                product_id=outcome.product_id,
                type=outcome.type,
                quantity=outcome.quantity,
                at=outcome.at,
                price_minor=outcome.price_minor,
                currency=outcome.currency,
                returned=outcome.returned,
                rating=outcome.rating,
            )
            for outcome in known.outcomes
        ],
        inferred=InferredOut(behaviour=known.behaviour_text, purchases_by_category=dict(known.purchases_by_category)),
    )


def erased_answer(erased: Erased) -> ErasedAnswer:
    """Counts of an erasure as the contract has them."""
    return ErasedAnswer.model_validate(erased, from_attributes=True)
