"""HTTP handlers for the kill switch, which holds the reference price for every quote."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Response, get, post
from pydantic import Field, TypeAdapter

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.body import validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer
from agent.api.openapi import SECURITY, operation
from agent.api.responses.answer import Answer
from agent.api.responses.rendering import json_response
from agent.domain.fields import Strict
from agent.rules.kill_switch import Hold
from agent.service.auth.api_keys import Scope


class KillSwitchIn(Strict, title="KillSwitchRequest"):
    """Turns the kill switch on or off."""

    on: bool
    """Whether to hold the reference price for every quote at once."""
    reason: Annotated[str, Field(max_length=200)] = ""
    """Why; each quote's trail gives it."""


class KillSwitchAnswer(Answer):
    """State of the kill switch."""

    on: bool
    """Whether the reference price is held for every quote."""
    since: datetime | None = None
    """Since when."""
    by: str | None = None
    """Id of the key that turned it on."""
    reason: str | None = None
    """Why it was turned on."""


_SWITCH: Final = TypeAdapter(KillSwitchIn)


class KillSwitchController(Controller):
    """The kill switch of one merchant."""

    path = "/v1/rules"
    tags = ("rules",)
    security = SECURITY

    @post(
        "/kill-switch",
        status_code=200,
        operation_id="setKillSwitch",
        operation_class=operation(KillSwitchIn, KillSwitchAnswer, examples=examples.KILL_SWITCH),
        summary="Hold or release all prices",
    )
    async def turn(self, request: AnyRequest) -> Response[bytes]:
        """Hold the reference price for every quote, in every process within a second; or release all prices."""

        async def work(value: Any, context: AppContext) -> KillSwitchAnswer:
            asked = validate(_SWITCH, value)
            switch = context.service.kill_switch
            if not asked.on:
                await context.run(switch.release)
                return KillSwitchAnswer(on=False)
            reason = asked.reason or "held by the merchant"
            return _answer(await context.run(switch.hold, context.caller, reason, datetime.now(UTC)))

        return await answer(request, Scope.MERCHANT, work)

    @get(
        "/kill-switch",
        operation_id="getKillSwitch",
        operation_class=operation(None, KillSwitchAnswer),
        summary="Read whether prices are held",
    )
    async def read(self, request: AnyRequest) -> Response[bytes]:
        """Whether the reference price is held for every quote, since when and why."""
        context = await authorise(request, Scope.MERCHANT)
        found = await context.run(context.service.kill_switch.state)
        return json_response(_answer(found))


def _answer(hold: Hold | None) -> KillSwitchAnswer:
    if hold is None:
        return KillSwitchAnswer(on=False)
    return KillSwitchAnswer(on=True, since=hold.since, by=hold.by, reason=hold.reason)
