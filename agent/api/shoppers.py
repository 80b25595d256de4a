"""A shopper's own data over HTTP: set, exported, erased."""

from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, delete, get, put
from litestar.params import PathParameter
from pydantic import BaseModel, JsonValue, TypeAdapter

from agent.api.body import validate
from agent.api.context import AppContext
from agent.api.documented import documented
from agent.api.exchange import answer, authorise
from agent.api.problems import Problem
from agent.api.responses.quotes import RecordedQuote, recorded_quote
from agent.domain.fields import Strict
from agent.domain.records import Attribute, EventType, OutcomeType, ShopperRecord
from agent.domain.request import Attributes, Personalisation
from agent.service.auth.api_keys import Scope
from agent.service.privacy import ShopperData
from agent.store.erasure import Erased

AnyRequest = Request[Any, Any, Any]
ShopperId = Annotated[str, PathParameter(description="Id of a shopper.")]

_SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)


class ShopperIn(Strict):
    """A shopper's profile, and whether prices may be made for them; what is left out is emptied."""

    profile: Attributes | None = None
    personalisation: Personalisation = Personalisation.ON


class EventOut(BaseModel):
    """One event as kept; prices in minor units."""

    type: EventType
    at: datetime
    product_id: str | None
    quantity: int
    price_minor: int | None
    currency: str | None
    text: str


class OutcomeOut(BaseModel):
    """One outcome as kept; prices in minor units."""

    id: str
    quote_id: str | None
    product_id: str | None
    type: OutcomeType
    quantity: int
    at: datetime
    price_minor: int
    currency: str


class DecisionOut(BaseModel):
    """A quote, and the request that it answered as far as it entered."""

    quote: RecordedQuote
    request: dict[str, JsonValue] | None


class InferredOut(BaseModel):
    """What is made of the past: the words that the model reads, purchases counted by category."""

    behaviour: str
    purchases_by_category: dict[str, int]


class ShopperAnswer(BaseModel):
    """Everything that is kept of a shopper."""

    id: str
    profile: dict[str, Attribute]
    personalisation: Personalisation
    events: list[EventOut]
    decisions: list[DecisionOut]
    outcomes: list[OutcomeOut]
    inferred: InferredOut


class ErasedAnswer(BaseModel):
    """How many rows told of the shopper and do no longer; all 0 when none did."""

    profile: int
    events: int
    decisions: int
    outcomes: int
    answers: int


class StoredShopper(BaseModel):
    """What was set."""

    id: str
    personalisation: Personalisation


_SHOPPER: Final = TypeAdapter(ShopperIn)


class ShopperController(Controller):
    """What is kept of one shopper."""

    path = "/v1/shoppers"
    tags = ("shoppers",)
    security = _SECURITY

    @get("/{shopper_id:str}", operation_class=documented(None, ShopperAnswer), summary="Export a shopper's data")
    async def export(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Everything that is kept of a shopper, and what is made of it."""
        context = await authorise(request, Scope.MERCHANT)
        known = await context.run(context.opened.service.shopper, shopper_id)
        if known is None:
            raise Problem(404, "nothing is kept of this shopper")
        return Response(shopper_answer(known).model_dump_json().encode(), media_type="application/json")

    @put("/{shopper_id:str}", operation_class=documented(ShopperIn, StoredShopper), summary="Set profile and consent")
    async def set(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Profile and consent, from the next quote on; a quote's own profile and consent go before them."""

        async def work(value: Any, context: AppContext) -> StoredShopper:
            told = validate(_SHOPPER, value)
            record = ShopperRecord(shopper_id, told.profile or {}, told.personalisation is Personalisation.ON)
            await context.run(context.opened.service.set_shopper, record)
            return StoredShopper(id=shopper_id, personalisation=told.personalisation)

        return await answer(request, Scope.MERCHANT, work)

    @delete(
        "/{shopper_id:str}",
        status_code=200,
        operation_class=documented(None, ErasedAnswer),
        summary="Erase a shopper's data",
    )
    async def erase(self, request: AnyRequest, shopper_id: ShopperId) -> Response[bytes]:
        """Take away everything that tells of a shopper; prices and sales stay, nobody's. Safe to repeat."""
        context = await authorise(request, Scope.MERCHANT)
        erased = await context.run(context.opened.service.erase_shopper, shopper_id)
        return Response(erased_answer(erased).model_dump_json().encode(), media_type="application/json")


def shopper_answer(known: ShopperData) -> ShopperAnswer:
    """What is kept, as it is exported."""
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
    """What was taken away."""
    return ErasedAnswer.model_validate(erased, from_attributes=True)
