import shutil

import httpx
import pytest

from eval.serving import free_port
from tests.examples.conftest import KEY, Running, started_example

NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
PROXIES = pytest.mark.parametrize(
    "proxy", ["product_page/proxy.py", pytest.param("product_page/proxy.mjs", marks=NODE)], ids=["python", "node"]
)


@PROXIES
def test_a_page_shows_a_price_that_checkout_sells_once(proxy: str, running: Running) -> None:
    product = running.world.bought
    shopper = "python-buyer" if proxy.endswith(".py") else "node-buyer"
    with started_example(proxy, PRICESMITH_URL=running.url, PRICESMITH_KEY=KEY) as shop:
        page = httpx.get(f"{shop}/price", params={"product": product}, headers={"Cookie": f"shopper={shopper}"})
        assert page.status_code == 200
        told = page.json()
        assert set(told) == {"price", "token", "valid_until", "notice", "option"}
        cart = {"token": told["token"], "product": product, "quantity": 1}
        sold = httpx.post(f"{shop}/checkout", json=cart, timeout=60)
        assert (sold.status_code, sold.json()["price"]) == (200, told["price"])
        again = httpx.post(f"{shop}/checkout", json=cart, timeout=60)
        assert (again.status_code, again.json()) == (409, {"sold": False, "status": "used"})
    headers = {"Authorization": f"Bearer {KEY}"}
    recorded = httpx.get(f"{running.url}/v1/quotes/{sold.json()['quote_id']}", headers=headers, timeout=60).json()
    assert [outcome["type"] for outcome in recorded["outcomes"]] == ["purchased"]


@PROXIES
def test_a_token_for_another_product_is_not_sold(proxy: str, running: Running) -> None:
    with started_example(proxy, PRICESMITH_URL=running.url, PRICESMITH_KEY=KEY) as shop:
        token = running.quote(shopper={})["token"]
        cart = {"token": token, "product": running.world.never_bought, "quantity": 1}
        answer = httpx.post(f"{shop}/checkout", json=cart, timeout=60)
    assert (answer.status_code, answer.json()["status"]) == (409, "mismatched")


@PROXIES
def test_without_pricesmith_the_page_shows_the_list_price(proxy: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    prices = '{"kettle-1": "39.90 EUR"}'
    with started_example(proxy, PRICESMITH_URL=nobody, PRICESMITH_KEY=KEY, SHOP_LIST_PRICES=prices) as shop:
        told = httpx.get(f"{shop}/price", params={"product": "kettle-1"}, timeout=60).json()
    assert told == {"price": "39.90 EUR", "token": None, "notice": None}


@PROXIES
def test_a_product_that_is_unknown_is_told_and_not_priced(proxy: str, running: Running) -> None:
    with started_example(proxy, PRICESMITH_URL=running.url, PRICESMITH_KEY=KEY) as shop:
        answer = httpx.get(f"{shop}/price", params={"product": "no-such-product"}, timeout=60)
    assert answer.status_code == 502
    assert "product" in answer.json()["error"]
