"""A bare Litestar application with the types of requests and answers of the service, and nothing behind them.

Its throughput is what the framework, validation and serialisation leave at most: `make bench` measures the service
beside it on the same machine. Answers are fixed; nothing is priced, recorded or checked.
"""

import argparse
import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from litestar import Litestar, get, post
from litestar.params import FromQuery, JSONBody

from agent.api.page_quotes import PageRequest
from agent.api.responses.lists import PageAnswer, RowAnswer
from agent.api.responses.quotes import QuoteAnswer
from agent.api.responses.shopper_quotes import ShopperQuoteAnswer
from agent.domain.request import QuoteRequest

_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PRICE: Final = {"amount_minor": 279, "currency": "USD", "fraction_digits": 2}
_SCORE: Final = {"value": 0.412345, "low": 0.312345, "high": 0.512345}
_SCORES: Final = {"purchase_probability": _SCORE, "profit": _SCORE, "satisfaction": _SCORE}
_COMMON: Final[dict[str, Any]] = {
    "id": "01a2342b-5047-7608-a01b-893e184b8072",
    "at": _AT,
    "product_id": "1000002",
    "shopper_id": "10",
    "quantity": 1,
    "price": _PRICE,
    "reference_price": _PRICE,
    "list_price": _PRICE,
    "personalised": True,
    "disclosure": {
        "required": False,
        "text": "This price was set by an algorithm that used your purchases and the product's own data.",
        "jurisdiction": None,
        "inputs_used": ["shopper.id", "shopper.purchases", "product.id", "merchant.weights"],
        "inputs_ignored": [],
        "law": None,
        "option": None,
        "reduction": None,
        "language": "en",
        "placement": None,
        "duties": [],
        "consent": None,
    },
    "valid_until": _AT + timedelta(minutes=15),
    "token": "h" * 40 + "." + "p" * 420 + "." + "s" * 86,
}
SHOPPERS: Final = ShopperQuoteAnswer.model_validate(_COMMON)
MERCHANTS: Final = QuoteAnswer.model_validate(
    {
        **_COMMON,
        "strategy": {
            "name": "discount: reference -12 %, exact",
            "lever": "discount",
            "source": "numeric",
            "rationale": "among the best of a search over moves from the reference",
        },
        "scores": _SCORES,
        "interest": 0.0799312,
        "confidence": 1.0,
        "rung": "cached",
        "trail": [],
        "similar": [{"id": "879876", "title": "meat beef bulk", "price": _PRICE, "similarity": 0.987654}] * 5,
        "evidence": [{"product_id": "1051323", "price_ratio": 0.919679, "bought": True, "similarity": 0.77025}] * 8,
        "competitor_prices": [],
        "propensity": 0.95,
        "versions": dict.fromkeys(("encoder", "strategist", "evaluator", "prompt", "index", "rules"), "v001"),
        "timing_ms": dict.fromkeys(("observe", "retrieve", "propose", "score", "select", "guard", "record"), 1.234),
    }
)


@post("/v1/quotes")
async def quote(data: JSONBody[QuoteRequest], view: FromQuery[str | None] = None) -> QuoteAnswer | ShopperQuoteAnswer:
    """Answer a quote."""
    return SHOPPERS if view == "shopper" else MERCHANTS


@post("/v1/pages", status_code=200)
async def page(data: JSONBody[PageRequest], view: FromQuery[str | None] = None) -> PageAnswer:
    """Answer a page, a row for each of its products."""
    row = RowAnswer(status=200, quote=SHOPPERS if view == "shopper" else MERCHANTS)
    return PageAnswer(quotes=[row] * len(data.products))


@get("/readyz")
async def ready() -> None:
    """Answer whoever waits for the start."""


def create() -> Litestar:
    """Build the application."""
    return Litestar(route_handlers=[quote, page, ready], openapi_config=None)


def main() -> None:
    """Serve it on loopback, in one process as the service is, until SIGTERM."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    parser = argparse.ArgumentParser(prog="python -m eval.bench.bare", description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port

    async def serve() -> None:
        server = Server(create(), address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
