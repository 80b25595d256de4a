"""A priced basket from a running server, for the demo store: the end of `make run`."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agent.cli.errors import CommandError, report
from agent.cli.exit_codes import ExitCode
from agent.cli.output import print_table
from agent.cli.server import Server

_KEY: Final = "PRICESMITH_BOOTSTRAP_KEY"
_SHOPPER: Final = "1"
_SIZE: Final = 5
_HEADINGS: Final = ("", "price", "reference", "strategy", "why", "purchase", "ms")


def main() -> int:
    """Print the basket of one demo household, then one of its products for an unknown shopper under four conditions."""
    parser = argparse.ArgumentParser(prog="python -m agent.cli.demo_basket", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of the server")
    parser.add_argument("--key-file", type=Path, help=f"file that holds the API key; default: {_KEY}")
    parser.add_argument("--shopper", default=_SHOPPER, help="household of the demo store")
    options = parser.parse_args()
    try:
        with Server(options.url, _key(options.key_file)) as server:
            _show(server, options.shopper)
    except Exception as error:
        return report(error)
    return ExitCode.DONE


def _key(file: Path | None) -> str:
    key = os.environ.get(_KEY, "") if file is None else file.read_text("utf-8")
    if not key.strip():
        raise CommandError(f"no API key is given; remedy: --key-file FILE, or {_KEY}")
    return key.strip()


def _show(server: Server, shopper: str) -> None:
    items = server.post("/v1/recommendations?view=merchant", {"shopper": {"id": shopper}, "limit": _SIZE})["items"]
    if not items:
        raise CommandError("the server has no products yet; remedy: pricesmith prepare --demo")
    basket = [_row(item["product"]["title"], item["quote"]) for item in items]
    product = items[0]["product"]
    conditions = [
        _row(name, server.post("/v1/quotes?view=merchant", {"product": {"id": product["id"]}, **extra}))
        for name, extra in _conditions(items[0]["quote"]).items()
    ]
    print_table(f"A basket for household {shopper} of the demo store (simulated data)", _HEADINGS, basket)
    title = f"An unknown shopper and {product['title']!r} (a known shopper's price holds while the quote is valid)"
    print_table(title, _HEADINGS, conditions)


def _conditions(quote: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    reference = quote["reference_price"]
    rival = {"amount_minor": max(1, round(0.85 * reference["amount_minor"])), "currency": reference["currency"]}
    return {
        "no condition": {},
        "a competitor is 15 % cheaper": {"context": {"competitor_prices": [rival]}},
        "50,000 units in stock": {"context": {"inventory": 50_000}},
        "personalisation off": {"shopper": {"personalisation": "off"}},
    }


def _row(name: str, quote: Mapping[str, Any]) -> list[str]:
    scores = quote["scores"]
    return [
        name,
        _money(quote["price"]),
        _money(quote["reference_price"]),
        quote["strategy"]["name"],
        quote["strategy"]["rationale"],
        f"{scores['purchase_probability']['value']:.2%}" if scores else "-",
        f"{sum(quote['timing_ms'].values()):.0f}",
    ]


def _money(money: Mapping[str, Any]) -> str:
    digits = money["fraction_digits"]
    return f"{money['amount_minor'] / 10**digits:.{digits}f} {money['currency']}"


if __name__ == "__main__":
    sys.exit(main())
