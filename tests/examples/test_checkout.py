import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.examples.conftest import Running, run_example

NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
TILLS = pytest.mark.parametrize(
    "till",
    ["checkout/verify_offline.py", pytest.param("checkout/verify_offline.mjs", marks=NODE)],
    ids=["python", "node"],
)


@pytest.fixture(scope="module")
def jwks(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("till") / "jwks.json"
    file.write_text(httpx.get(f"{running.url}/.well-known/jwks.json", timeout=60).text)
    return file


def checked(till: str, jwks: Path, token: str, **cart: object) -> tuple[int, dict[str, Any]]:
    told = [word for name, value in cart.items() for word in (f"--{name}", str(value))]
    done = run_example(till, "--jwks", str(jwks), "--token", token, *told)
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@TILLS
def test_a_fresh_token_sells_at_its_price(till: str, running: Running, jwks: Path) -> None:
    quote = running.quote()
    code, found = checked(till, jwks, quote["token"], product=running.world.bought, quantity=1)
    assert (code, found["status"], found["mismatches"]) == (0, "valid", [])
    assert found["price_minor"] == quote["price"]["amount_minor"]
    assert found["quote_id"] == quote["id"]


@TILLS
def test_another_cart_does_not_sell(till: str, running: Running, jwks: Path) -> None:
    token = running.quote()["token"]
    code, found = checked(till, jwks, token, product=running.world.never_bought, quantity=2, shopper="somebody")
    assert (code, found["status"]) == (1, "mismatched")
    assert found["mismatches"] == ["product", "quantity", "shopper"]


@TILLS
def test_a_changed_token_and_an_unknown_key_do_not_sell(
    till: str, running: Running, jwks: Path, tmp_path: Path
) -> None:
    head, body, seal = running.quote()["token"].split(".")
    other = running.quote(product={"id": running.world.never_bought})["token"].split(".")
    assert checked(till, jwks, ".".join((head, other[1], seal)))[1] == {"status": "tampered"}
    assert checked(till, jwks, ".".join((head, body, other[2])))[1] == {"status": "tampered"}
    nobody = tmp_path / "none.json"
    nobody.write_text('{"keys": []}')
    assert checked(till, nobody, ".".join((head, body, seal))) == (1, {"status": "unknown_key"})
    assert checked(till, jwks, "no token")[0] == 1


@TILLS
def test_a_token_whose_spelling_was_varied_does_not_sell(till: str, running: Running, jwks: Path) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = running.quote()["token"]
    varied = token[:-1] + letters[letters.index(token[-1]) ^ 1]  # a spare bit: the same bytes, spelt otherwise
    assert checked(till, jwks, varied) == (1, {"status": "tampered"})
