"""The merchant's hand on the wheel over HTTP: the kill switch."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, post
from pydantic import BaseModel, Field, TypeAdapter

from agent.api.body import validate
from agent.api.context import AppContext
from agent.api.documented import documented
from agent.api.exchange import answer, authorise
from agent.domain.fields import Strict
from agent.rules.kill_switch import Hold
from agent.service.auth.api_keys import Scope

AnyRequest = Request[Any, Any, Any]

_SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)


class KillSwitchIn(Strict):
    """On holds the reference price for everyone at once; the reason is told in each quote's trail."""

    on: bool
    reason: Annotated[str, Field(max_length=200)] = ""


class KillSwitchAnswer(BaseModel):
    """Whether the switch is on, since when, why, and the id of the key that turned it."""

    on: bool
    since: datetime | None = None
    by: str | None = None
    reason: str | None = None


_SWITCH: Final = TypeAdapter(KillSwitchIn)


class RulesController(Controller):
    """What holds for every quote."""

    path = "/v1/rules"
    tags = ("rules",)
    security = _SECURITY

    @post(
        "/kill-switch",
        status_code=200,
        operation_class=documented(KillSwitchIn, KillSwitchAnswer),
        summary="Hold or release all prices",
    )
    async def turn(self, request: AnyRequest) -> Response[bytes]:
        """Hold the reference price for every quote from now on, in every process within a second; or release."""

        async def work(value: Any, context: AppContext) -> KillSwitchAnswer:
            told = validate(_SWITCH, value)
            switch = context.opened.service.kill_switch
            if not told.on:
                await context.run(switch.release)
                return KillSwitchAnswer(on=False)
            reason = told.reason or "held by the merchant"
            return _told(await context.run(switch.hold, context.caller, reason, datetime.now(UTC)))

        return await answer(request, Scope.MERCHANT, work)

    @get("/kill-switch", operation_class=documented(None, KillSwitchAnswer), summary="Whether prices are held")
    async def read(self, request: AnyRequest) -> Response[bytes]:
        """Whether the switch is on."""
        context = await authorise(request, Scope.MERCHANT)
        found = await context.run(context.opened.service.kill_switch.state)
        return Response(_told(found).model_dump_json().encode(), media_type="application/json")


def _told(hold: Hold | None) -> KillSwitchAnswer:
    if hold is None:
        return KillSwitchAnswer(on=False)
    return KillSwitchAnswer(on=True, since=hold.since, by=hold.by, reason=hold.reason)
