"""Example requests of the OpenAPI document; a test sends each to a running service.

They name one shop: the product `espresso-1kg`, the shopper `shopper-42`, the quote `QUOTE_ID` and its token `TOKEN`.
"""

from typing import Final

from pydantic import JsonValue

from agent.api.openapi import Example, Examples

PRODUCT_ID: Final = "espresso-1kg"
SHOPPER_ID: Final = "shopper-42"
QUOTE_ID: Final = "019ae0d2-6c1f-7b54-9d3e-2f8a1c5b7e90"
TOKEN: Final = "eyJhbGciOiJFZERTQSJ9.eyJxdW90ZSI6Ii4uLiJ9.c2lnbmF0dXJl"  # noqa: S105 - a quote's, shortened

_WHO: Final[JsonValue] = {"id": SHOPPER_ID}
_WHAT: Final[JsonValue] = {"id": PRODUCT_ID}


def _usd(amount_minor: int) -> JsonValue:
    return {"amount_minor": amount_minor, "currency": "USD"}


QUOTES: Final[Examples] = {
    "known": Example(
        "A known product for a known shopper",
        {
            "shopper": _WHO,
            "product": _WHAT,
            "quantity": 2,
            "context": {"competitor_prices": [_usd(1_799)], "channel": "web", "jurisdiction": "DE", "at": None},
        },
    ),
    "described": Example(
        "A product and a shopper that are only described",
        {
            "shopper": {"profile": {"age": 30, "income": 50_000, "gender": "male", "region": "urban"}},
            "product": {
                "category": "electronics",
                "brand": "Samsung",
                "rating": 4.5,
                "list_price": _usd(100_000),
                "cost": _usd(20_000),
            },
        },
    ),
    "session": Example(
        "With this session's behaviour, limits and a deadline",
        {
            "shopper": {"id": SHOPPER_ID, "personalisation": "on"},
            "product": _WHAT,
            "events": [{"type": "search", "text": "espresso beans"}, {"type": "view", "product_id": PRODUCT_ID}],
            "context": {"inventory": 40, "season": "advent", "weather": "snow"},
            "limits": {"min_price": _usd(1_500), "max_discount": 0.15},
            "deadline_ms": 5_000,
        },
    ),
}
BATCHES: Final[Examples] = {
    "items": Example(
        "Products for one shopper",
        {"shopper": _WHO, "items": [{"product": _WHAT}, {"product": {"id": "grinder"}, "quantity": 1}]},
    ),
    "quotes": Example(
        "Quotes of any kind",
        {
            "quotes": [
                {"shopper": _WHO, "product": _WHAT},
                {"product": {"title": "Milk jug", "category": "kitchen", "list_price": _usd(1_290)}},
            ]
        },
    ),
}
PAGES: Final[Examples] = {
    "list": Example(
        "The products of a list page, for one shopper", {"shopper": _WHO, "products": [PRODUCT_ID, "grinder"]}
    ),
    "late": Example(
        "In a hurry: prices for everyone where time is short",
        {"products": [PRODUCT_ID], "context": {"jurisdiction": "DE"}, "deadline_ms": 20},
    ),
}
VERIFICATION: Final[Examples] = {
    "checkout": Example(
        "At the checkout, with what the cart is about to sell",
        {"token": TOKEN, "product_id": PRODUCT_ID, "quantity": 2, "shopper_id": SHOPPER_ID},
    ),
}
OUTCOMES: Final[Examples] = {
    "one": Example("One purchase", {"quote_id": QUOTE_ID, "type": "purchased", "outcome_id": "order-1001"}),
    "list": Example(
        "A list, in which bad rows fail alone",
        [
            {"quote_id": QUOTE_ID, "type": "purchased", "quantity": 1, "outcome_id": "order-1001"},
            {"quote_id": QUOTE_ID, "type": "returned", "quantity": 1, "outcome_id": "return-77"},
        ],
    ),
}
EVENTS: Final[Examples] = {
    "one": Example("One event", {"shopper_id": SHOPPER_ID, "type": "add_to_cart", "product_id": PRODUCT_ID}),
    "list": Example(
        "A list, taken as a whole or not at all",
        {
            "events": [
                {"shopper_id": SHOPPER_ID, "type": "search", "text": "espresso beans"},
                {
                    "shopper_id": SHOPPER_ID,
                    "type": "purchase",
                    "product_id": PRODUCT_ID,
                    "quantity": 2,
                    "price": _usd(1_899),
                    "at": "2026-11-30T09:15:00Z",
                },
            ]
        },
    ),
}
PRODUCTS: Final[Examples] = {
    "list": Example(
        "Two products",
        [
            {
                "id": PRODUCT_ID,
                "title": "Espresso beans, 1 kg",
                "category": "coffee",
                "brand": "Moka",
                "list_price": _usd(1_899),
                "cost": _usd(1_120),
                "min_price": _usd(1_490),
                "inventory": 120,
                "rating": 4.6,
                "attributes": {"roast": "dark", "organic": True, "strength": 4},
            },
            {"id": "grinder", "title": "Coffee grinder", "category": "kitchen", "list_price": _usd(5_900)},
        ],
    ),
}
RECOMMENDATIONS: Final[Examples] = {
    "shopper": Example("For a known shopper, of one category", {"shopper": _WHO, "category": "coffee", "limit": 3}),
}
QUOTE_QUESTIONS: Final[Examples] = {
    "why": Example("Why this price", {}),
    "what-if": Example("In the asker's words", {"question": "What if the price were 10 % lower?", "language": "en"}),
}
LOG_QUESTIONS: Final[Examples] = {
    "discounts": Example("About many quotes", {"question": "Which categories have the largest discounts?"}),
}
RULES: Final[Examples] = {
    "limits": Example(
        "Limits for all products, tighter ones for a category",
        {
            "document": {
                "limits": {"min_margin": 0.1, "max_discount": 0.2, "never_above_reference": True, "rounding": "charm"},
                "categories": {"coffee": {"max_discount": 0.1}},
                "weights": {"profit": 1.0, "purchase": 0.2, "satisfaction": 0.2},
            },
            "note": "Smaller discounts on coffee",
        },
    ),
}
PREVIEW: Final[Examples] = {"plain": Example("Nothing to add", {})}
APPROVAL: Final[Examples] = {"note": Example("With a note", {"note": "Checked against last month's margins"})}
ACTIVATION: Final[Examples] = {
    "now": Example("From now, without an end", {"note": "Advent"}),
    "sale": Example("For a sale", {"active_from": "2035-01-02T00:00:00Z", "active_until": "2035-01-16T00:00:00Z"}),
}
ROLLBACK: Final[Examples] = {"current": Example("The version in effect", {"note": "Too few sales"})}
KILL_SWITCH: Final[Examples] = {
    "hold": Example("Hold all prices", {"on": True, "reason": "A competitor's feed is wrong"}),
    "release": Example("Release them", {"on": False}),
}
SHOPPER: Final[Examples] = {
    "profile": Example("Profile and consent", {"profile": {"age": 41, "member": True}, "personalisation": "on"}),
    "opt-out": Example("No personal prices", {"personalisation": "off"}),
}
WEBHOOK: Final[Examples] = {
    "quotes": Example("Every quote", {"url": "https://shop.example/pricesmith", "events": ["quote.created"]}),
}
IMPORTS: Final[Examples] = {
    "products": Example(
        "One product, with `kind=products` in the query",
        "product_id,title,category,list_price,cost,currency\nfilter-1kg,Filter coffee 1 kg,coffee,14.99,8.10,USD\n",
    ),
}
TRAINING: Final[Examples] = {
    "named": Example("A version by name, not put in use", {"version": "mine", "activate": False}),
    "plain": Example("A version named after the time, put in use", {}),
}
