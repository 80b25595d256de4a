"""HTTP handlers for webhooks: register, list, remove."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Response, delete, get, post
from pydantic import Field, TypeAdapter

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.body import validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer
from agent.api.openapi import SECURITY, operation
from agent.api.paths import WebhookId
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.answer import Answer
from agent.api.responses.rendering import Made, json_response
from agent.domain.fields import Strict
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.webhooks import RefusedAddressError, check_url
from agent.store import Store
from agent.store.webhook_messages import WebhookEvent
from agent.store.webhooks import WebhookRecord

MAX_WEBHOOKS: Final = 20
_SCOPES: Final = (Scope.ADMIN,)


class WebhookIn(Strict, title="WebhookRequest"):
    """An address and the events to send to it."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    """An https address on the public internet."""
    events: Annotated[list[WebhookEvent], Field(min_length=1, max_length=10)]
    """Kinds of events to send."""


class WebhookAnswer(Answer):
    """A webhook and the state of its deliveries."""

    id: str
    """Id of the webhook."""
    url: str
    """Address that messages are sent to."""
    events: list[WebhookEvent]
    """Kinds of events sent."""
    created_at: datetime
    """When it was registered."""
    waiting: int = 0
    """Messages that wait for delivery."""
    given_up: int = 0
    """Messages that could not be delivered."""
    trouble: str | None = None
    """The last error."""


class NewWebhookAnswer(WebhookAnswer, title="NewWebhook"):
    """A new webhook with its signing secret."""

    secret: str
    """Secret that messages are signed with (Standard Webhooks); shown once."""


class WebhooksAnswer(Answer, title="WebhookList"):
    """All webhooks."""

    webhooks: list[WebhookAnswer]
    """The webhooks, oldest first."""


class RemovedAnswer(Answer, title="Removal"):
    """Whether the webhook existed."""

    removed: bool
    """Whether the webhook existed."""


_WEBHOOK: Final = TypeAdapter(WebhookIn)


class WebhookController(Controller):
    """Receivers of events: quotes, rules that moved a price, activated models."""

    path = "/v1/webhooks"
    tags = ("webhooks",)
    security = SECURITY

    @post(
        "/",
        status_code=201,
        operation_id="createWebhook",
        operation_class=operation(
            WebhookIn, NewWebhookAnswer, status=201, location=True, scopes=_SCOPES, examples=examples.WEBHOOK
        ),
        summary="Register a webhook",
    )
    async def register(self, request: AnyRequest) -> Response[bytes]:
        """Register a webhook; its messages are signed (Standard Webhooks) with the secret in this answer."""

        async def work(value: Any, context: AppContext) -> Made:
            asked = validate(_WEBHOOK, value)
            await _check_new(asked, context)
            made = await context.run(context.store.add_webhook, asked.url, asked.events, datetime.now(UTC))
            return Made(NewWebhookAnswer(**_shown(made), secret=made.secret), f"/v1/webhooks/{made.webhook_id}")

        return await answer(request, Scope.ADMIN, work)

    @get(
        "/",
        operation_id="listWebhooks",
        operation_class=operation(None, WebhooksAnswer, scopes=_SCOPES),
        summary="List webhooks",
    )
    async def all(self, request: AnyRequest) -> Response[bytes]:
        """All webhooks with their waiting and given-up messages and the last delivery error."""
        context = await authorise(request, Scope.ADMIN)
        found = await context.run(_with_backlogs, context.store)
        return json_response(WebhooksAnswer(webhooks=found))

    @get(
        "/{webhook_id:str}",
        operation_id="getWebhook",
        operation_class=operation(None, WebhookAnswer, scopes=_SCOPES),
        summary="Read a webhook",
    )
    async def one(self, request: AnyRequest, webhook_id: WebhookId) -> Response[bytes]:
        """A webhook with its waiting and given-up messages and the last delivery error, without its secret."""
        context = await authorise(request, Scope.ADMIN)
        known = await context.run(_with_backlogs, context.store)
        found = next((one for one in known if one.id == webhook_id), None)
        if found is None:
            raise Problem(404, f"no webhook has the id {webhook_id[:80]!r}", code=Code.NOT_FOUND)
        return json_response(found)

    @delete(
        "/{webhook_id:str}",
        status_code=200,
        operation_id="deleteWebhook",
        operation_class=operation(None, RemovedAnswer, scopes=_SCOPES),
        summary="Remove a webhook",
    )
    async def remove(self, request: AnyRequest, webhook_id: WebhookId) -> Response[bytes]:
        """Remove a webhook and its waiting messages. Safe to repeat."""
        context = await authorise(request, Scope.ADMIN)
        removed = await context.run(context.store.remove_webhook, webhook_id)
        return json_response(RemovedAnswer(removed=removed))


async def _check_new(asked: WebhookIn, context: AppContext) -> None:
    """Check the address of a new webhook and the number of webhooks.

    Raises:
        Problem: 422, for an address that is not allowed or too many webhooks.
    """
    try:
        await context.run(check_url, asked.url, private=context.settings.webhooks_private)
    except RefusedAddressError as error:
        problem = FieldProblem("url", str(error), asked.url[:80], "an https address on the public internet")
        detail = f"the webhook address is not allowed: {error}"
        raise Problem(422, detail, [problem], code=Code.WEBHOOK_ADDRESS_REFUSED) from None
    if len(await context.run(context.store.webhooks)) >= MAX_WEBHOOKS:
        detail = f"there are {MAX_WEBHOOKS} webhooks, the most allowed; remove one first"
        raise Problem(422, detail, code=Code.TOO_MANY_WEBHOOKS)


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
