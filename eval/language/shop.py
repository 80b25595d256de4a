"""Test shop for explanation and injection cases: the whole service on a temporary folder.

It has six products, three shoppers and a fixed clock. Its clock data mark it as the store that the evaluator was
trained on, so that texts and histories affect prices, and prices may rise or fall: an injection can take effect.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from agent.api.convert import to_event, to_product
from agent.api.schemas import Event, Product
from agent.domain.clock import FixedClock, StoreClock
from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.explain.questions import Audience, Language, QuestionInput
from agent.service.assembly import open_service
from agent.service.opening import open_store
from agent.service.settings import Settings

NOW: Final = datetime(2017, 12, 31, tzinfo=UTC)
MIN_MARGIN: Final = 0.05
MAX_DISCOUNT: Final = 0.5


class ShopData(BaseModel):
    """Content of `eval/cases/shop.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    products: tuple[Product, ...]
    events: tuple[Event, ...]
    quotes: Mapping[str, dict[str, Any]]


@cache
def shop_data() -> ShopData:
    """Read products, events, and named quote requests."""
    return ShopData.model_validate_json((files("eval") / "cases" / "shop.json").read_bytes())


class Shop:
    """A running service with the given models and a temporary data folder."""

    def __init__(self, models: Path) -> None:
        """Open the service and load products and events."""
        self._folder = TemporaryDirectory(prefix="pricesmith-shop-", ignore_cleanup_errors=True)
        root = Path(self._folder.name)
        (root / "models").symlink_to(models.resolve())
        settings = Settings(
            data_dir=root,
            default_deadline_ms=60_000,
            never_above_reference=False,
            min_margin_frac=MIN_MARGIN,
            max_discount_frac=MAX_DISCOUNT,
            max_change_frac=100,
            narrator=False,
        )
        store = open_store(settings)
        for key, value in StoreClock(NOW, NOW).to_meta().items():
            store.set_meta(key, value)
        self._service = open_service(settings, store, FixedClock(NOW))
        self._service.upsert_products([to_product(one) for one in shop_data().products])
        self._service.add_events([to_event(one, NOW) for one in shop_data().events])

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Quote a price and, if the message has `ask`, explain it."""
        decision = self._service.quote([QuoteRequest.model_validate(message["quote"])])[0]
        if not isinstance(decision, Decision):
            return {"refused": decision.detail}
        reply: dict[str, Any] = {
            "price_minor": decision.price_minor,
            "reference_minor": decision.reference_minor,
            "strategy": decision.strategy.name,
            "trail": [step.rule for step in decision.trail],
        }
        ask = message.get("ask")
        if ask is None:
            return reply
        language = None if ask.get("language") is None else Language(ask["language"])
        explained = self._service.explain(
            decision.id, QuestionInput(ask.get("question"), language, Audience(ask["audience"]))
        )
        if explained is None:
            raise AssertionError(f"quote {decision.id} was recorded but cannot be explained")
        after = self._service.decision(decision.id)
        return reply | {
            "answer": explained.answer,
            "kind": explained.kind.value,
            "language": explained.language.value,
            "source": explained.source,
            "evidence": [asdict(one) for one in explained.evidence],
            "problems": list(explained.report.problems),
            "price_after": None if after is None else after.price_minor,
        }


def as_message(quote: Mapping[str, Any], ask: Mapping[str, Any] | None = None) -> str:
    """Serialise a request as a message to the shop."""
    return json.dumps({"quote": quote, "ask": ask}, ensure_ascii=False)
