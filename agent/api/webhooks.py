"""Webhooks over HTTP: registered, listed, removed."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, delete, get, post
from litestar.params import PathParameter
from pydantic import BaseModel, Field, TypeAdapter

from agent.api.body import validate
from agent.api.context import AppContext
from agent.api.documented import documented
from agent.api.exchange import answer, authorise
from agent.api.problems import Problem
from agent.domain.fields import Strict
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.webhooks import RefusedAddressError, check_url
from agent.store import Store
from agent.store.webhook_messages import WebhookEvent
from agent.store.webhooks import WebhookRecord

AnyRequest = Request[Any, Any, Any]

MAX_WEBHOOKS: Final = 20
_SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)


class WebhookIn(Strict):
    """Where to tell, by https, and what."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    events: Annotated[list[WebhookEvent], Field(min_length=1, max_length=10)]


class WebhookAnswer(BaseModel):
    """A webhook, and how its delivery does."""

    id: str
    url: str
    events: list[WebhookEvent]
    created_at: datetime
    waiting: int = 0
    given_up: int = 0
    trouble: str | None = None


class NewWebhookAnswer(WebhookAnswer):
    """A new webhook with its secret, which is shown once."""

    secret: str


class WebhooksAnswer(BaseModel):
    """All webhooks, oldest first."""

    webhooks: list[WebhookAnswer]


class RemovedAnswer(BaseModel):
    """Whether there was one."""

    removed: bool


_WEBHOOK: Final = TypeAdapter(WebhookIn)


class WebhookController(Controller):
    """Who is told of quotes, bound rules and activated models."""

    path = "/v1/webhooks"
    tags = ("webhooks",)
    security = _SECURITY

    @post("/", status_code=200, operation_class=documented(WebhookIn, NewWebhookAnswer), summary="Register a webhook")
    async def register(self, request: AnyRequest) -> Response[bytes]:
        """Register; messages are signed by Standard Webhooks with the secret in the answer, which is shown once."""

        async def work(value: Any, context: AppContext) -> NewWebhookAnswer:
            told = validate(_WEBHOOK, value)
            try:
                await context.run(check_url, told.url, private=context.settings.webhooks_private)
            except RefusedAddressError as error:
                problem = FieldProblem("url", str(error), told.url[:80], "an https address on the public internet")
                raise Problem(422, "this address cannot be told", [problem]) from None
            if len(await context.run(context.opened.store.webhooks)) >= MAX_WEBHOOKS:
                raise Problem(422, f"there are {MAX_WEBHOOKS} webhooks already; remove one first")
            made = await context.run(context.opened.store.add_webhook, told.url, told.events, datetime.now(UTC))
            return NewWebhookAnswer(**_shown(made), secret=made.secret)

        return await answer(request, Scope.ADMIN, work)

    @get("/", operation_class=documented(None, WebhooksAnswer), summary="List webhooks")
    async def all(self, request: AnyRequest) -> Response[bytes]:
        """All webhooks with what waits to be delivered, and what went wrong last."""
        context = await authorise(request, Scope.ADMIN)
        found = await context.run(_with_backlogs, context.opened.store)
        return Response(WebhooksAnswer(webhooks=found).model_dump_json().encode(), media_type="application/json")

    @delete(
        "/{webhook_id:str}",
        status_code=200,
        operation_class=documented(None, RemovedAnswer),
        summary="Remove a webhook",
    )
    async def remove(
        self, request: AnyRequest, webhook_id: Annotated[str, PathParameter(description="Id of a webhook.")]
    ) -> Response[bytes]:
        """Forget a webhook and what it was still to be told. Safe to repeat."""
        context = await authorise(request, Scope.ADMIN)
        removed = await context.run(context.opened.store.remove_webhook, webhook_id)
        return Response(RemovedAnswer(removed=removed).model_dump_json().encode(), media_type="application/json")


def _with_backlogs(store: Store) -> list[WebhookAnswer]:
    found = []
    for record in store.webhooks():
        backlog = store.webhook_backlog(record.webhook_id)
        delivery = {"waiting": backlog.waiting, "given_up": backlog.given_up, "trouble": backlog.trouble}
        found.append(WebhookAnswer(**_shown(record), **delivery))
    return found


def _shown(record: WebhookRecord) -> dict[str, Any]:
    return {
        "id": record.webhook_id,
        "url": record.url,
        "events": list(record.events),
        "created_at": record.created_at,
    }
