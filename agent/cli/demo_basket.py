"""Asks a running server for a priced basket and shows it: what `make run` ends with."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from agent.cli.output import print_table

_SHOPPER = "1"
_SIZE = 5
_HEADINGS: Final = ("", "price", "reference", "strategy", "why", "purchase", "ms")


def main() -> int:
    """Print the basket of one demo household, then one of its products for a stranger under four conditions."""
    parser = argparse.ArgumentParser(prog="python -m agent.cli.demo_basket", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key-file", type=Path, help="file that holds the API key; else PRICESMITH_BOOTSTRAP_KEY")
    parser.add_argument("--shopper", default=_SHOPPER, help="household of the demo store")
    options = parser.parse_args()
    key = options.key_file.read_text("utf-8").strip() if options.key_file else os.environ["PRICESMITH_BOOTSTRAP_KEY"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=options.url, headers=headers, timeout=30) as client:
        asked = {"shopper": {"id": options.shopper}, "limit": _SIZE}
        items = _post(client, "/v1/recommendations", asked)["items"]
        if not items:
            sys.stderr.write("the server knows no products yet; remedy: pricesmith prepare\n")
            return 1
        basket = [_row(item["product"]["title"], item["quote"]) for item in items]
        product = items[0]["product"]
        conditions = [
            _row(name, _post(client, "/v1/quotes", {"product": {"id": product["id"]}, **extra}))
            for name, extra in _conditions(items[0]["quote"]).items()
        ]
    print_table(f"A basket for household {options.shopper} of the demo store (simulated data)", _HEADINGS, basket)
    title = f"A stranger and {product['title']!r} (a known shopper keeps a price while its quote lives)"
    print_table(title, _HEADINGS, conditions)
    return 0


def _conditions(quote: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    reference = quote["reference_price"]
    rival = {"amount_minor": max(1, round(0.85 * reference["amount_minor"])), "currency": reference["currency"]}
    return {
        "as it is": {},
        "a competitor is 15 % cheaper": {"context": {"competitor_prices": [rival]}},
        "50,000 units in stock": {"context": {"inventory": 50_000}},
        "personalisation off": {"shopper": {"personalisation": "off"}},
    }


def _post(client: httpx.Client, path: str, body: Mapping[str, Any]) -> Any:
    answer = client.post(path, json=body)
    if answer.is_error:
        raise SystemExit(f"{path}: {answer.status_code} {answer.text}")
    return answer.json()


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
