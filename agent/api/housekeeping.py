"""What the service does beside its requests: forgetting what is past its time, following model activations."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio

from agent.api.context import AppContext
from agent.api.logs import where
from agent.store import StoreError
from models.errors import ModelError

KEPT_FOR: Final = timedelta(hours=24)
_EVERY_S: Final = 3_600.0
_LOOK_S: Final = 2.0


async def keep_house(context: AppContext, log: Any) -> None:
    """Forget old answers, and what is told of shoppers beyond its retention, now and every hour, until cancelled.

    A store that does not answer is asked again later.
    """
    days = context.settings.retention_days
    while True:
        try:
            await context.run(context.opened.store.purge_idempotency, datetime.now(UTC) - KEPT_FOR)
            if days is not None:
                await context.run(context.opened.service.purge, datetime.now(UTC) - timedelta(days=days))
        except StoreError as error:
            log.warning("housekeeping failed", error=where(error))
        await anyio.sleep(_EVERY_S)


async def follow_models(context: AppContext, log: Any) -> None:
    """Bring model versions into use soon after they are activated, until cancelled; a bad one is logged and left."""
    while True:
        await anyio.sleep(_LOOK_S)
        try:
            found = await context.run(context.opened.service.reload)
        except (ModelError, StoreError, OSError) as error:
            log.error("new model versions refused; the old ones stay in use", reason=str(error))
        else:
            if found is not None:
                log.info("model versions in use", **{kind.value: version for kind, version in found.items()})
