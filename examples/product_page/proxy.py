"""A shop's own server between the browser and Pricesmith: the API key and the scores never reach the browser.

    PRICESMITH_URL=http://127.0.0.1:8000 PRICESMITH_KEY=... python examples/product_page/proxy.py

    GET  /price?product=ID      what the product page shows: price, notice, and a token for the cart
    POST /checkout              {"token": ..., "product": ID, "quantity": 1}: verifies, sells, reports the outcome

The key needs the scopes `quotes` and `outcomes`. The shopper comes from the shop's own session, here the cookie
`shopper`.
"""

import json
import os
import sys
import time
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlparse
from urllib.request import Request, urlopen

URL = os.environ.get("PRICESMITH_URL", "http://127.0.0.1:8000")
KEY = os.environ["PRICESMITH_KEY"]
PORT = int(os.environ.get("PORT", "8080"))
DEADLINE_MS = 300  # what the page is willing to wait for a price
LIST_PRICES = json.loads(os.environ.get("SHOP_LIST_PRICES", "{}"))  # the shop's own catalogue: {"ID": "2.99 USD"}
TRIES = 3


class Unavailable(Exception):
    """Pricesmith gave no answer in time, or asked to come back later."""

    def __init__(self, reason: str, retry_after_s: float = 1.0) -> None:
        """`retry_after_s` is what a 503 or 429 asked for."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def ask(path: str, body: dict[str, Any], *, timeout_s: float, once: str | None = None) -> dict[str, Any]:
    """POST to Pricesmith; with `once`, an idempotency key, a repetition is answered as the first time.

    Raises:
        Unavailable: No answer in time, 429 or 503.
        HTTPError: The request is refused for good: a bug here, or input that cannot be priced.
    """
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": once} if once else {}
    request = Request(URL + path, json.dumps(body).encode(), headers)  # noqa: S310 - the address is our own setting
    try:
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found
    except HTTPError as error:
        if error.code not in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            raise
        raise Unavailable(f"{error.code}", float(error.headers.get("Retry-After", "1"))) from None
    except (URLError, TimeoutError) as error:
        raise Unavailable(str(error)) from None


def price(product: str, shopper: str | None) -> dict[str, Any]:
    """Price to show on the page. Without an answer in time: the list price, which needs no token at checkout.

    A page is not worth a second try: the shopper is waiting.
    """
    body: dict[str, Any] = {"product": {"id": product}, "deadline_ms": DEADLINE_MS}
    if shopper:
        body["shopper"] = {"id": shopper}
    try:
        quote = ask("/v1/quotes", body, timeout_s=2 * DEADLINE_MS / 1e3 + 1)
    except Unavailable:
        return {"price": LIST_PRICES.get(product), "token": None, "notice": None}
    notice = quote["disclosure"]
    return {
        "price": shown(quote["price"]),
        "token": quote["token"],
        "valid_until": quote["valid_until"],
        "notice": notice["text"] if notice["required"] else None,
        "option": notice["option"],
    }


def checkout(token: str, product: str, quantity: int) -> tuple[int, dict[str, Any]]:
    """Verify the token against the cart, sell, report. Only a valid token sells at its price."""
    told = {"token": token, "product_id": product, "quantity": quantity}
    found = retried("/v1/quotes/verify", told)
    if found["status"] != "valid":
        return HTTPStatus.CONFLICT, {"sold": False, "status": found["status"]}
    # The shop takes the money here. The outcome is reported afterwards, and under a key, so that a retry counts once.
    quote = found["quote_id"]
    outcome = {"quote_id": quote, "type": "purchased", "quantity": quantity}
    retried("/v1/outcomes", outcome, once=f"sold-{quote}")
    return HTTPStatus.OK, {"sold": True, "price": shown(found["price"]), "quote_id": quote}


def retried(path: str, body: dict[str, Any], once: str | None = None) -> dict[str, Any]:
    """Ask again when Pricesmith says to come back: money is involved, so waiting is right here."""
    for left in reversed(range(TRIES)):
        try:
            return ask(path, body, timeout_s=10, once=once)
        except Unavailable as error:
            if not left:
                raise
            time.sleep(error.retry_after_s)
    raise AssertionError("unreachable")


def shown(money: dict[str, Any]) -> str:
    """Money for people."""
    digits = money["fraction_digits"]
    return f"{money['amount_minor'] / 10**digits:.{digits}f} {money['currency']}"


class Handler(BaseHTTPRequestHandler):
    """The two addresses that the browser sees."""

    def do_GET(self) -> None:
        """`/price?product=ID`."""
        address = urlparse(self.path)
        product = parse_qs(address.query).get("product", [""])[0]
        if address.path != "/price" or not product:
            self.reply(HTTPStatus.NOT_FOUND, {"error": "GET /price?product=ID"})
            return
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("shopper")
        self.answered(lambda: (HTTPStatus.OK, price(product, cookie.value if cookie else None)))

    def do_POST(self) -> None:
        """`/checkout`."""
        cart = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        self.answered(lambda: checkout(cart["token"], cart["product"], int(cart.get("quantity", 1))))

    def answered(self, work: Any) -> None:
        """Reply with what `work` gives, or with what went wrong."""
        try:
            self.reply(*work())
        except Unavailable as error:
            self.reply(HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"try again: {error}"})
        except HTTPError as error:
            self.reply(HTTPStatus.BAD_GATEWAY, {"error": json.load(error)["detail"]})

    def reply(self, status: int, body: dict[str, Any]) -> None:
        """One JSON answer."""
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: tokens and shoppers do not belong into a log."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", PORT), Handler) as server:
        sys.stdout.write(f"http://127.0.0.1:{PORT}/price?product=ID\n")
        sys.stdout.flush()
        server.serve_forever()
