"""Asks a running server for a priced basket and shows it: what `make run` ends with."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

_SHOPPER = "1"
_SIZE = 5


def main() -> int:
    """Print the basket of one demo household, then one of its products for a stranger under four conditions."""
    parser = argparse.ArgumentParser(prog="python -m agent.basket", description=__doc__)
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
        basket = _table(f"A basket for household {options.shopper} of the demo store (simulated data)")
        for item in items:
            _row(basket, item["product"]["title"], item["quote"])
        title = f"A stranger and {items[0]['product']['title']!r} (a known shopper keeps a price while its quote lives)"
        conditions = _table(title)
        for name, extra in _conditions(items[0]["quote"]).items():
            asked = {"product": {"id": items[0]["product"]["id"]}, **extra}
            _row(conditions, name, _post(client, "/v1/quotes", asked))
    console = Console()
    console.print(basket)
    console.print(conditions)
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


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("", "price", "reference", "strategy", "why", "purchase", "ms"):
        table.add_column(column)
    return table


def _row(table: Table, name: str, quote: Mapping[str, Any]) -> None:
    scores = quote["scores"]
    purchase = f"{scores['purchase_probability']['value']:.2%}" if scores else "-"
    table.add_row(
        name,
        _money(quote["price"]),
        _money(quote["reference_price"]),
        quote["strategy"]["name"],
        quote["strategy"]["rationale"],
        purchase,
        f"{sum(quote['timing_ms'].values()):.0f}",
    )


def _money(money: Mapping[str, Any]) -> str:
    digits = money["fraction_digits"]
    return f"{money['amount_minor'] / 10**digits:.{digits}f} {money['currency']}"


if __name__ == "__main__":
    sys.exit(main())
