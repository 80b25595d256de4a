"""Fairness of prices in the demo store, for its households and the products they buy most.

Costs are set to 30 % of the list price (as for vendor-funded goods): at the demo's 70 % almost all prices equal the
reference price, and comparing them would show nothing. Labels are those of the demo data; the service never reads the
protected ones. Consumer surplus uses the evaluator's demand curve up to 2.5 times the price.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from agent.domain.candidates import Scores
from agent.domain.decision import Decision
from agent.domain.records import EventType, ProductRecord, ShopperRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, RecommendationRequest, Shopper
from agent.pricing.score_at_prices import PricedRow
from agent.rules.packs import Pack
from agent.rules.screening import screen_profile
from agent.service.components import Components
from eval.fairness.groups import Quotes, surplus_under
from eval.fairness.pairs import Pair, pairs_of, priced
from models.arrays import Floats
from models.progress import Progress

DEMO: Final = "demo store"
_COST: Final = 0.3
_STEPS: Final = np.linspace(1.0, 2.5, 9)
_DEADLINE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class DemoShop:
    """Selected shoppers and products; `parts` price them without recording."""

    parts: Components
    pack: Pack
    shoppers: Sequence[ShopperRecord]
    products: Sequence[ProductRecord]
    now: datetime

    def price(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Price requests as the service would now."""
        return self.parts.pipeline.counterfactual().quote(requests, self.now)

    def pairs(self) -> Iterator[Pair]:
        """Iterate over all pairs of each shopper; products take turns."""
        for number, shopper in enumerate(self.shoppers):
            open_part = screen_profile(shopper.profile, self.pack, None, self.now.date()).attributes
            product = self.products[number % len(self.products)]
            without_age = {name: value for name, value in open_part.items() if name != "age"}
            yield from pairs_of(self._request(shopper.shopper_id, product, {"profile": without_age}), number)

    def quotes(self, progress: Progress) -> Quotes:
        """Quote every product to every shopper."""
        requests = [
            QuoteRequest.model_validate(self._request(shopper.shopper_id, product, {}))
            for shopper in self.shoppers
            for product in self.products
        ]
        decisions = priced(self.price, requests)
        progress("groups", 0.5)
        number = np.repeat(np.arange(len(self.shoppers)), len(self.products))
        labels = [group_labels(shopper.profile) for shopper in self.shoppers for _ in self.products]
        ratio = np.asarray([one.price_minor / one.reference_minor for one in decisions])
        groups = {name: [row[name] for row in labels] for name in labels[0]}
        surplus = self._surplus(requests, decisions)
        progress("groups", 1.0)
        return Quotes(number, ratio, surplus, groups)

    def behaviour(self) -> list[str]:
        """Texts that the encoder reads about each shopper, without the profile."""
        observer = self.parts.pipeline.observer
        requests = [RecommendationRequest(shopper=Shopper(id=s.shopper_id, profile={})) for s in self.shoppers]
        return [observer.reader.read_shopper(one, self.now).past.text for one in requests]

    def _surplus(self, requests: Sequence[QuoteRequest], decisions: Sequence[Decision]) -> Floats:
        rows = [
            PricedRow(request, round(one.price_minor * step))
            for request, one in zip(requests, decisions, strict=True)
            for step in _STEPS
        ]
        probabilities: list[float] = []
        for begin in range(0, len(rows), 2_000):
            for scores in self.parts.row_scorer.score(rows[begin : begin + 2_000], self.now):
                probabilities.append(scores.purchase_probability.value if isinstance(scores, Scores) else 0.0)
        curves = np.asarray(probabilities).reshape(len(requests), len(_STEPS))
        return surplus_under([_STEPS * one.price_minor / one.reference_minor for one in decisions], list(curves))

    def _request(self, shopper_id: str, product: ProductRecord, shopper: Mapping[str, Any]) -> dict[str, Any]:
        cost = {"amount_minor": round(_COST * (product.list_minor or 0)), "currency": product.currency}
        return {
            "shopper": {"id": shopper_id, **shopper},
            "product": {"id": product.product_id, "cost": cost},
            "deadline_ms": _DEADLINE_MS,
        }


def open_demo(parts: Components, pack: Pack, shoppers: int, products: int) -> DemoShop:
    """Sample shoppers with a profile (fixed seed) and select the products they buy most.

    Raises:
        ValueError: The store has no shopper with a profile.
    """
    store = parts.store
    profiled = [one for one in store.shoppers(list(store.shopper_ids())).values() if one.profile]
    if not profiled:
        raise ValueError("no shopper of this store has a profile; remedy: pricesmith prepare")
    profiled.sort(key=lambda one: one.shopper_id)
    sample = np.random.default_rng(17).permutation(len(profiled))[:shoppers]
    chosen = [profiled[row] for row in sorted(sample.tolist())]
    bought: Counter[str] = Counter()
    for shopper in chosen[:60]:
        events = store.shopper_events(shopper.shopper_id, limit=500)
        bought.update(e.product_id for e in events if e.type is EventType.PURCHASE and e.product_id is not None)
    frequent = [product_id for product_id, _ in bought.most_common(4 * products)]
    found = store.products(frequent)
    sellable = [found[one] for one in frequent if one in found and (found[one].list_minor or 0) >= 50]
    return DemoShop(parts, pack, chosen, sellable[:products], parts.clock.now())


def group_labels(profile: Mapping[str, Any]) -> dict[str, str]:
    """Split a household into one of two groups per label of the demo data; an empty string if the label is missing."""
    age, kids, income = (str(profile.get(name, "")) for name in ("age", "kids_count", "income"))
    lower = ("Under 15K", "15-24K", "25-34K", "35-49K")
    return {
        "age": "" if not age else "45 and over" if age in ("45-54", "55-64", "65+") else "under 45",
        "marital status": str(profile.get("marital_status", "")),
        "family": "" if not kids else "no children" if kids == "0" else "children",
        "income": "" if not income else "below 50K" if income in lower else "50K and over",
    }
