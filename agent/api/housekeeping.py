"""What the service does beside its requests: forgetting answers kept for idempotency keys that nobody repeats."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio

from agent.api.context import AppContext
from agent.api.logs import where
from agent.store import StoreError

KEPT_FOR: Final = timedelta(hours=24)
_EVERY_S: Final = 3_600.0


async def keep_house(context: AppContext, log: Any) -> None:
    """Forget old answers now and every hour, until cancelled; a store that does not answer is asked again later."""
    while True:
        try:
            await context.run(context.opened.store.purge_idempotency, datetime.now(UTC) - KEPT_FOR)
        except StoreError as error:
            log.warning("housekeeping failed", error=where(error))
        await anyio.sleep(_EVERY_S)
