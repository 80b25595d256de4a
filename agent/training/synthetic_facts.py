"""Synthetic fact tables for every kind of question, as training data of the narrator."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from agent.explain.facts import Fact, FactTable
from agent.explain.questions import QuestionKind
from models.strategist.strategy import Lever

CUTTING: Final = (
    "discount",
    "clear_stock",
    "loyalty_reward",
    "win_back",
    "volume",
    "match_competitor",
    "undercut_competitor",
)
TITLES: Final = (
    "Oat drink, 1 l",
    "FROZEN PIZZA 12 OZ",
    "Samsung TV",
    "Hotel Lumen, double room",
    "燕麦饮",
    "Soap “Rosa”",
)
PERSONAL: Final = ("input.purchase_history", "input.session_events", "profile.income", "profile.region")
OTHERS: Final = ("input.list_price", "input.cost", "input.season", "input.past_outcomes", "input.similar_products")
RULES: Final = ("max_change", "max_discount", "never_above_reference", "ceiling", "map", "floor", "cost", "min_margin")
INFORMATIVE_IF_ABSENT: Final = frozenset(
    (
        *("discount_pct", "premium_pct", "held", "driver", "rule", "inputs", "category", "quotes", "outcomes", "weeks"),
        *("whatif_fall", "whatif_rise", "other_lower", "other_higher", "moved_down_pct", "moved_up_pct"),
        *("asked_price", "allowed_price", "profit_less_pct", "profit_more_pct", "bought_below_pct", "bought_above_pct"),
    )
)
"""Facts whose absence is informative: without a discount the price is the reference price."""

CURRENCIES: Final = ("USD", "EUR", "CNY", "JPY")


def random_table(kind: QuestionKind, seed: int) -> FactTable:
    """A random table of one kind; the same seed gives the same table."""
    rng = random.Random(f"{kind}:{seed}")  # noqa: S311 - training data, not secrets
    return FactTable.of(kind, rng.choice(CURRENCIES), [*_MAKERS.get(kind, _quoted)(rng), *_data(rng)])


def thinned(table: FactTable, rng: random.Random) -> FactTable:
    """A table without some facts, as records may be; facts of `INFORMATIVE_IF_ABSENT` stay."""
    share = rng.choice((0.0, 0.0, 0.1, 0.3))
    return replace(
        table, facts=tuple(fact for fact in table.facts if fact.key in INFORMATIVE_IF_ABSENT or rng.random() >= share)
    )


def _money(rng: random.Random) -> int:
    return rng.choice((rng.randint(40, 900), rng.randint(1_000, 90_000), rng.randint(100_000, 5_000_000)))


def _chance(rng: random.Random) -> float:
    return rng.choice((rng.uniform(0.0004, 0.02), rng.uniform(0.02, 0.98)))


def _priced(rng: random.Random) -> Iterator[Fact]:
    reference = _money(rng)
    side = rng.choice(("same", "below", "below", "above"))
    share = {"same": 1.0, "below": rng.uniform(0.7, 0.985), "above": rng.uniform(1.015, 1.3)}[side]
    price = round(reference * share)
    yield Fact("product", rng.choice(TITLES))
    yield Fact("price", price)
    yield Fact("reference_price", reference)
    gap = 100 * (price - reference) / reference
    if gap:
        yield Fact("discount_pct" if gap < 0 else "premium_pct", abs(gap))


def _scored(rng: random.Random, cheaper: bool) -> Iterator[Fact]:
    chance, profit = _chance(rng), rng.uniform(0.01, 400)
    yield Fact("purchase_probability", chance)
    yield Fact("purchase_low", chance * rng.uniform(0.5, 0.95))
    yield Fact("purchase_high", min(1.0, chance * rng.uniform(1.05, 1.6)))
    yield Fact("profit", profit)
    yield Fact("confidence", rng.uniform(0.6, 1))
    yield Fact("candidates", rng.randint(2, 18))
    yield Fact("rung", f"rung.{rng.choice(('model', 'cached', 'numeric'))}")
    if cheaper:
        yield Fact("reference_probability", chance * rng.uniform(0.5, 0.95))
        yield Fact("reference_profit", profit * rng.uniform(0.5, 0.95))


def _quoted(rng: random.Random) -> Iterator[Fact]:
    facts = list(_priced(rng))
    keys = {fact.key for fact in facts}
    yield from facts
    if not keys & {"discount_pct", "premium_pct"} and rng.random() < 0.3:
        yield Fact("held", f"held.{rng.choice(('unknown_cost', 'opted_out', 'no_time'))}")
        return
    yield Fact("reason", _reason(rng, keys))
    for key, value in (("cost_now", _money(rng)), ("rival_now", _money(rng)), ("stock_now", rng.randint(0, 90_000))):
        if rng.random() < 0.5:
            yield Fact(key, value)
    yield from _scored(rng, "discount_pct" in keys)
    if rng.random() < 0.5:
        start = _money(rng)
        limits = tuple(f"rule.{rule}" for rule in rng.sample(RULES, rng.randint(1, 4)))
        yield Fact("rule", limits[-1])
        yield Fact("rule_from", start)
        yield Fact("rule_to", start + rng.choice((-1, 1)) * rng.randint(1, max(1, start // 3)))
        yield Fact("rules", len(limits))
        if len(limits) > 1:
            yield Fact("limits", limits)
    if rng.random() < 0.8:
        seen = rng.randint(2, 32)
        yield Fact("outcomes", seen)
        yield Fact("bought", rng.randint(0, seen))
        if rng.random() < 0.8:
            yield Fact(rng.choice(("bought_below_pct", "bought_above_pct")), rng.uniform(0.2, 25))
    yield Fact("similar_products", tuple(rng.sample(TITLES, rng.randint(1, 3))))


def _reason(rng: random.Random, keys: set[str]) -> str:
    if "discount_pct" in keys:
        return f"reason.{rng.choice(CUTTING)}"
    return f"reason.{Lever.PREMIUM}" if "premium_pct" in keys else rng.choice(("reason.hold", "reason.abstained"))


def _what_if(rng: random.Random, named: tuple[str, ...], values: tuple[int, ...]) -> Iterator[Fact]:
    yield from _priced(rng)
    yield from _scored(rng, False)
    for key, value in zip(named, values, strict=True):
        if key.endswith("_if") or rng.random() < 0.6:
            yield Fact(key, value)
    base = _money(rng)
    change = rng.choice((0, -1, 1)) * rng.randint(1, max(1, base // 3))
    yield Fact("whatif_price", base + change)
    if change:
        yield Fact("whatif_fall" if change < 0 else "whatif_rise", abs(change))
    yield Fact("whatif_probability", _chance(rng))
    yield Fact("whatif_profit", rng.uniform(0.01, 400))
    if rng.random() < 0.2:
        yield Fact("rerun_price", base)


def _own_price(rng: random.Random) -> Iterator[Fact]:
    yield from _priced(rng)
    asked = _money(rng)
    yield Fact("asked_price", asked)
    yield Fact("asked_move", rng.choice(("asked.lower", "asked.higher")))
    yield Fact("asked_probability", _chance(rng))
    yield Fact("purchase_probability", _chance(rng))
    if rng.random() < 0.8:
        yield Fact("asked_profit", rng.uniform(-400, 400))
        yield Fact("profit", rng.uniform(0.01, 400))
    yield Fact("asked_satisfaction", rng.uniform(0.01, 0.99))
    yield Fact("satisfaction", rng.uniform(0.01, 0.99))
    if rng.random() < 0.4:
        limits = tuple(f"rule.{rule}" for rule in rng.sample(RULES, rng.randint(1, 3)))
        yield Fact("allowed_price", asked + rng.randint(1, 500))
        yield Fact("rule", limits[-1])
        if len(limits) > 1:
            yield Fact("limits", limits)


def _stock(rng: random.Random) -> Iterator[Fact]:
    yield Fact("scenario", "scenario.stock")
    yield from _what_if(rng, ("stock_if", "stock_now"), (rng.randint(0, 90_000), rng.randint(0, 90_000)))


def _competitor(rng: random.Random) -> Iterator[Fact]:
    yield Fact("scenario", "scenario.competitor")
    yield from _what_if(rng, ("rival_if", "rival_now"), (_money(rng), _money(rng)))


def _cost(rng: random.Random) -> Iterator[Fact]:
    yield Fact("scenario", "scenario.cost")
    yield from _what_if(rng, ("cost_if", "cost_now"), (_money(rng), _money(rng)))


def _history(rng: random.Random) -> Iterator[Fact]:
    yield Fact("scenario", "scenario.history")
    yield from _what_if(rng, (), ())


def _driver(rng: random.Random) -> Iterator[Fact]:
    facts = list(_what_if(rng, (), ()))
    yield from facts
    yield Fact("reason", _reason(rng, {fact.key for fact in facts}))
    yield Fact("tried", rng.randint(2, 7))
    if {fact.key for fact in facts} & {"whatif_fall", "whatif_rise"}:
        yield Fact("driver", rng.choice(("input.purchase_history", "input.inventory", "input.competitor_prices")))


def _why_not(rng: random.Random) -> Iterator[Fact]:
    yield from _priced(rng)
    yield from _scored(rng, False)
    asked = _money(rng)
    yield Fact("asked_price", asked)
    if rng.random() < 0.4:
        yield Fact("allowed_price", asked + rng.randint(1, 500))
        yield Fact("rule", f"rule.{rng.choice(RULES)}")
    yield Fact("asked_probability", _chance(rng))
    loss = rng.random() < 0.2
    yield Fact("asked_profit", rng.uniform(-400, -0.01) if loss else rng.uniform(0.01, 400))
    if not loss:
        yield Fact(rng.choice(("profit_less_pct", "profit_more_pct")), rng.uniform(0.1, 90))


def _compare(rng: random.Random) -> Iterator[Fact]:
    yield from _priced(rng)
    yield from _scored(rng, False)
    yield Fact("other_shopper", rng.choice(("718", "anna-4", "S 12")))
    other = _money(rng)
    yield Fact("other_price", other)
    side = rng.choice((None, "other_lower", "other_higher"))
    if side is not None:
        yield Fact(side, rng.randint(1, 500))
    yield Fact("other_probability", _chance(rng))
    yield Fact("loyalty", f"loyalty.{rng.choice(('new', 'occasional'))}")
    yield Fact("other_loyalty", f"loyalty.{rng.choice(('regular', 'lapsed'))}")


def _prices(rng: random.Random) -> Iterator[Fact]:
    yield from _priced(rng)
    first, latest = _money(rng), _money(rng)
    yield Fact("weeks", rng.randint(1, 26))
    yield Fact("since", f"2017-0{rng.randint(1, 6)}-11")
    yield Fact("until", f"2017-1{rng.randint(0, 2)}-2{rng.randint(0, 8)}")
    yield Fact("lowest_price", min(first, latest) - rng.randint(0, 20))
    yield Fact("highest_price", max(first, latest) + rng.randint(0, 20))
    yield Fact("first_price", first)
    yield Fact("latest_price", latest)
    if first != latest:
        yield Fact("moved_down_pct" if latest < first else "moved_up_pct", abs(100 * (latest / first - 1)))
    yield Fact("prior_price", min(first, latest))


def _span(rng: random.Random) -> Iterator[Fact]:
    yield Fact("since", "2026-11-17")
    yield Fact("until", f"2026-11-2{rng.randint(2, 9)}")
    yield Fact("quotes", rng.randint(200, 9_000))


def _discounts(rng: random.Random) -> Iterator[Fact]:
    yield from _span(rng)
    if rng.random() < 0.7:
        yield Fact("category", rng.choice(("DAIRY", "FROZEN PIZZA", "电器")))
    yield Fact("discounted", rng.randint(10, 150))
    yield Fact("sold", rng.randint(5, 90))
    yield Fact("sold_discounted", rng.randint(0, 4))
    yield Fact("mean_discount_pct", rng.uniform(0.4, 9))
    yield Fact("deepest_discount_pct", rng.uniform(10, 30))


def _sales(rng: random.Random) -> Iterator[Fact]:
    yield from _span(rng)
    if rng.random() < 0.3:
        yield Fact("day", "2026-11-21")
    if rng.random() < 0.7:
        yield Fact("product", rng.choice(TITLES))
        yield Fact("product_id", rng.choice(("1082185", "oat-1")))
        yield Fact("mean_price", _money(rng))
        if rng.random() < 0.8:
            yield Fact("mean_paid", _money(rng))
    else:
        yield Fact("matched", rng.randint(2, 9))
        yield Fact("subject", "drink")
        yield Fact("matched_products", ("Oat drink, 1 l (oat-1)", "Oat drink, 2 l (oat-2)"))
    yield from (fact for fact in _discounts(rng) if fact.key not in ("category", "since", "until", "quotes"))


def _floors(rng: random.Random) -> Iterator[Fact]:
    yield from _span(rng)
    yield Fact("floor_quotes", rng.randint(1, 150))
    yield Fact("floor_products", tuple(rng.sample(TITLES, 2)))


def _above(rng: random.Random) -> Iterator[Fact]:
    yield from _span(rng)
    yield Fact("above_quotes", rng.randint(1, 150))
    yield Fact("above_shoppers", ("718", "anna-4"))


def _data(rng: random.Random) -> Iterator[Fact]:
    inputs = tuple(rng.sample(PERSONAL, rng.randint(0, 3)))
    yield Fact("personalised", "personalised.yes" if inputs else "personalised.no")
    if inputs:
        yield Fact("inputs", inputs)
    yield Fact("other_inputs", tuple(rng.sample(OTHERS, 3)))
    yield Fact("ignored", ("ignored.gender",) if rng.random() < 0.5 else ())


_MAKERS: Final = {
    QuestionKind.WHAT_IF_PRICE: _own_price,
    QuestionKind.WHAT_IF_STOCK: _stock,
    QuestionKind.WHAT_IF_COMPETITOR: _competitor,
    QuestionKind.WHAT_IF_COST: _cost,
    QuestionKind.WHAT_IF_HISTORY: _history,
    QuestionKind.DRIVER: _driver,
    QuestionKind.WHY_NOT: _why_not,
    QuestionKind.COMPARE: _compare,
    QuestionKind.PRICE_HISTORY: _prices,
    QuestionKind.CATEGORY_DISCOUNTS: _discounts,
    QuestionKind.FLOOR_PRODUCTS: _floors,
    QuestionKind.ABOVE_REFERENCE: _above,
    QuestionKind.PRODUCT_SALES: _sales,
}
