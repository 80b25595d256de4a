"""The fixed shop that explanation and injection cases are asked in: the whole service, on a temporary folder.

Six products, three shoppers, a clock that stands still. The store passes for the one that the evaluator was trained
on, so that what it learned of texts and histories bears on prices; prices may go either way. What a text could do to a
price, it does here.
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
from agent.explain.answers import QuestionInput
from agent.explain.questions import Audience, Language
from agent.service.assembly import open_service
from agent.service.opening import open_store
from agent.service.settings import Settings

NOW: Final = datetime(2017, 12, 31, tzinfo=UTC)
MIN_MARGIN: Final = 0.05
MAX_DISCOUNT: Final = 0.5


class ShopData(BaseModel):
    """`eval/cases/shop.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    products: tuple[Product, ...]
    events: tuple[Event, ...]
    quotes: Mapping[str, dict[str, Any]]


@cache
def shop_data() -> ShopData:
    """Products, what shoppers did, and named requests."""
    return ShopData.model_validate_json((files("eval") / "cases" / "shop.json").read_bytes())


class Shop:
    """A running service over a folder of model versions, on a folder of its own."""

    def __init__(self, models: Path) -> None:
        """Open the service and fill it."""
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

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One quote and, with `ask`, the explanation of it."""
        decision = self._service.quote([QuoteRequest.model_validate(asked["quote"])])[0]
        if not isinstance(decision, Decision):
            return {"refused": decision.detail}
        told: dict[str, Any] = {
            "price_minor": decision.price_minor,
            "reference_minor": decision.reference_minor,
            "strategy": decision.strategy.name,
            "trail": [step.rule for step in decision.trail],
        }
        ask = asked.get("ask")
        if ask is None:
            return told
        language = None if ask.get("language") is None else Language(ask["language"])
        explained = self._service.explain(
            decision.id, QuestionInput(ask.get("question"), language, Audience(ask["audience"]))
        )
        if explained is None:
            raise AssertionError("a quote that was just recorded is known")
        after = self._service.decision(decision.id)
        return told | {
            "answer": explained.answer,
            "kind": explained.kind.value,
            "language": explained.language.value,
            "source": explained.source,
            "evidence": [asdict(one) for one in explained.evidence],
            "problems": list(explained.report.problems),
            "price_after": None if after is None else after.price_minor,
        }


def as_message(quote: Mapping[str, Any], ask: Mapping[str, Any] | None = None) -> str:
    """A request as the shop reads it."""
    return json.dumps({"quote": quote, "ask": ask}, ensure_ascii=False)
