"""The full loop: a quote, its outcome, and the next quote, which already knows.

    python examples/learning_loop.py --url http://127.0.0.1:8000 --key-file demo/demo.key --product 1082185

Asks for the price of a product for one kind of stranger, reports that the offer was declined, and asks again, some
times over. What Pricesmith expects of the next such stranger falls with every outcome. Needs `pip install httpx`, and a
key with the scopes `quotes`, `outcomes` and `merchant`: only merchants see scores. Try it on demo data: what is
reported here is learned.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import httpx

PROFILE = {"region": "urban", "age": 30}


def quote(client: httpx.Client, product: str) -> dict[str, Any]:
    """A price for the stranger; `include=candidates` tells what each other price was expected to do."""
    body = {"shopper": {"profile": PROFILE}, "product": {"id": product}}
    answer = client.post("/v1/quotes", params={"include": "candidates"}, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def report(client: httpx.Client, quote_id: str, outcome: str) -> None:
    """Report the outcome of a quote; the idempotency key makes a retry harmless."""
    body = {"quote_id": quote_id, "type": outcome}
    answer = client.post("/v1/outcomes", json=body, headers={"Idempotency-Key": f"{outcome}-{quote_id}"})
    answer.raise_for_status()


def expected_at_reference(found: dict[str, Any]) -> float:
    """The purchase probability at the reference price, which is among the candidates of every quote."""
    reference = found["reference_price"]["amount_minor"]
    at = next(one for one in found["candidates"] if one["price"]["amount_minor"] == reference)
    return float(at["scores"]["purchase_probability"]["value"])


def main() -> int:
    """Run the loop and print what each round expected."""
    parser = argparse.ArgumentParser(description="Quote, outcome, next quote.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key-file", type=Path, required=True, help="file that holds the API key")
    parser.add_argument("--product", required=True, help="id of a product that the service knows")
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    headers = {"Authorization": f"Bearer {asked.key_file.read_text('utf-8').strip()}"}
    with httpx.Client(base_url=asked.url, headers=headers, timeout=60) as client:
        for number in range(asked.rounds + 1):
            found = quote(client, asked.product)
            price, chance = found["price"], expected_at_reference(found)
            money = f"{price['amount_minor'] / 10 ** price['fraction_digits']:.2f} {price['currency']}"
            sys.stdout.write(f"round {number}: price {money}, chance of a purchase at the reference {chance:.4f}\n")
            if number < asked.rounds:
                report(client, found["id"], "declined")
    return 0


if __name__ == "__main__":
    sys.exit(main())
