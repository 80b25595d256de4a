"""HTTP handlers for the data of one shopper: set, export, erase."""

from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Controller, Response, delete, get, put
from litestar.params import PathParameter
from pydantic import BaseModel, JsonValue, TypeAdapter

from agent.api.authorisation import authorise, needs
from agent.api.body import validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer
from agent.api.openapi import operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.quotes import RecordedQuote, recorded_quote
from agent.api.responses.rendering import JSON, json_response
from agent.domain.fields import Id, Strict
from agent.domain.records import Attribute, EventType, OutcomeType, ShopperRecord
from agent.domain.refusal import FieldProblem
from agent.domain.request import Attributes, Personalisation
from agent.service.auth.api_keys import Scope
from agent.service.privacy import ShopperData
from agent.store.erasure import Erased

ShopperId = Annotated[str, PathParameter(description="Id of a shopper, percent-encoded.")]


class ShopperIn(Strict):
    """A shopper's profile and consent to personalisation; a field left out is reset.

    A row of the list of shoppers may be sent back as it is: `id`, where given, is that of the path.
    """

    id: Id | None = None
    profile: Attributes | None = None
    personalisation: Personalisation = Personalisation.ON


class EventOut(BaseModel):
    """A stored event; prices in minor units."""

    type: EventType
    at: datetime
    product_id: str | None
    quantity: int
    price_minor: int | None
    currency: str | None
    text: str


class OutcomeOut(BaseModel):
    """A stored outcome; prices in minor units."""

    id: str
    quote_id: str | None
    product_id: str | None
    type: OutcomeType
    quantity: int
    at: datetime
    price_minor: int
    currency: str


class DecisionOut(BaseModel):
    """A quote and its request, as far as the pipeline used it."""

    quote: RecordedQuote
    request: dict[str, JsonValue] | None


class InferredOut(BaseModel):
    """Features derived from the shopper's past: the text that the encoder reads, purchases by category."""

    behaviour: str
    purchases_by_category: dict[str, int]


class ShopperAnswer(BaseModel):
    """All stored data of a shopper."""

    id: str
    profile: dict[str, Attribute]
    personalisation: Personalisation
    events: list[EventOut]
    decisions: list[DecisionOut]
    outcomes: list[OutcomeOut]
    inferred: InferredOut


class ErasedAnswer(BaseModel):
    """Number of rows erased or anonymised; all 0 when nothing was stored."""

    profile: int
    events: int
    decisions: int
    outcomes: int
    answers: int


class StoredShopper(BaseModel):
    """The consent as set."""

    id: str
    personalisation: Personalisation


_SHOPPER: Final = TypeAdapter(ShopperIn)


class ShopperController(Controller):
    """Data of one shopper."""

    path = "/v1/shoppers"
    tags = ("shoppers",)
    security = needs(Scope.MERCHANT)

    @get("/{shopper_id:str}", operation_class=operation(None, ShopperAnswer), summary="Export a shopper's data")
    async def export(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Export all stored data of a shopper and the features derived from it."""
        context = await authorise(request, Scope.MERCHANT)
        known = await context.run(context.service.shopper, shopper_id)
        if known is None:
            detail = f"nothing is stored about the shopper {shopper_id[:80]!r}"
            raise Problem(404, detail, code=Code.NOT_FOUND)
        body = shopper_answer(known).model_dump_json()  # by field name: a trail's start is `from_` in exports
        return Response(body.encode(), media_type=JSON)

    @put("/{shopper_id:str}", operation_class=operation(ShopperIn, StoredShopper), summary="Set profile and consent")
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
            DecisionOut(quote=recorded_quote(decision, []), request=request) for decision, request in known.decisions
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
            )
            for outcome in known.outcomes
        ],
        inferred=InferredOut(behaviour=known.behaviour_text, purchases_by_category=dict(known.purchases_by_category)),
    )


def erased_answer(erased: Erased) -> ErasedAnswer:
    """Counts of an erasure as the contract has them."""
    return ErasedAnswer.model_validate(erased, from_attributes=True)
