"""HTTP handlers for one product, and for one outcome: read, remove."""

from typing import Annotated

from litestar import Controller, Response, delete, get
from litestar.params import PathParameter

from agent.api.authorisation import authorise
from agent.api.context import AnyRequest
from agent.api.openapi import SECURITY, operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.pages import StoredOutcome, stored_outcome
from agent.api.responses.products import ProductAnswer, RemovedProduct, product_answer
from agent.api.responses.rendering import json_response
from agent.service.auth.api_keys import Scope

ProductId = Annotated[str, PathParameter(description="Id of a product, percent-encoded.")]
OutcomeId = Annotated[str, PathParameter(description="Id of an outcome, percent-encoded.")]


class RecordController(Controller):
    """Single products and outcomes by id."""

    path = "/v1"
    security = SECURITY

    @get(
        "/products/{product_id:str}",
        operation_id="getProduct",
        operation_class=operation(None, ProductAnswer),
        summary="Read a product",
        tags=["products"],
    )
    async def get_product(self, request: AnyRequest, product_id: ProductId) -> Response[bytes]:
        """A product as stored, cost and limits included; `PUT /v1/products` takes it as it is."""
        context = await authorise(request, Scope.MERCHANT)
        found = (await context.run(context.store.products, [product_id])).get(product_id)
        if found is None:
            raise _unknown("product", product_id)
        return json_response(product_answer(found))

    @delete(
        "/products/{product_id:str}",
        status_code=200,
        operation_id="deleteProduct",
        operation_class=operation(None, RemovedProduct),
        summary="Remove a product",
        tags=["products"],
    )
    async def delete_product(self, request: AnyRequest, product_id: ProductId) -> Response[bytes]:
        """Take a product out of sale: lists, searches and recommendations lose it, quotes of its id are refused.

        Its quotes, outcomes and tokens stay valid, and `PUT /v1/products` brings it back. Safe to repeat; 404 for an id
        that never was a product's.
        """
        context = await authorise(request, Scope.MERCHANT)
        removed = await context.run(context.service.remove_product, product_id)
        if removed is None:
            raise _unknown("product", product_id)
        return json_response(RemovedProduct(id=product_id, removed=removed))

    @get(
        "/outcomes/{outcome_id:str}",
        operation_id="getOutcome",
        operation_class=operation(None, StoredOutcome),
        summary="Read an outcome",
        tags=["outcomes"],
    )
    async def get_outcome(self, request: AnyRequest, outcome_id: OutcomeId) -> Response[bytes]:
        """An outcome as stored."""
        context = await authorise(request, Scope.MERCHANT)
        found = await context.run(context.store.outcome, outcome_id)
        if found is None:
            raise _unknown("outcome", outcome_id)
        return json_response(stored_outcome(found))


def _unknown(what: str, id: str) -> Problem:
    return Problem(404, f"no {what} has the id {id[:80]!r}", code=Code.NOT_FOUND)
