"""Checks a quote's token at the till with nothing but the public keys: no call to Pricesmith, no API key.

    curl -s http://127.0.0.1:8000/.well-known/jwks.json > jwks.json
    python examples/checkout/verify_offline.py --jwks jwks.json --token TOKEN --product ID --quantity 1

Prints one JSON object. Exit code 0: sell at `price_minor`; 1: do not. Needs `pip install "pyjwt[crypto]"`.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode

TYPE = "pricesmith-quote+jwt"


def verify(token: str, jwks: dict[str, Any], cart: dict[str, Any], now_s: float) -> dict[str, Any]:
    """Status of the token: valid, expired, mismatched, tampered, or of a key that is not in `jwks`.

    A till that sees `unknown_key` reads the keys again: the shop has rotated them. Offline nobody can see that a token
    was used before; the shop's own order table must know that (`quote_id`).
    """
    try:
        header = jwt.get_unverified_header(token)
        # One spelling a token: decoders ignore spare bits of the last character, which would let a token be varied.
        canonical = all(base64url_encode(base64url_decode(part)).decode() == part for part in token.split("."))
    except (jwt.InvalidTokenError, ValueError):
        return {"status": "tampered"}
    key = next((one for one in jwks["keys"] if one["kid"] == header.get("kid")), None)
    if key is None:
        return {"status": "unknown_key"}
    if header.get("typ") != TYPE or not canonical:
        return {"status": "tampered"}
    try:
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["sub", "exp", "iat"]}
        found = jwt.decode(token, jwt.PyJWK(key), ["EdDSA"], options=options, issuer="pricesmith")
    except jwt.InvalidTokenError:
        return {"status": "tampered"}
    wrong = [
        name
        for name, told in cart.items()
        if told is not None and found.get(name) != told and not (name == "shopper" and "shopper" not in found)
    ]
    status = "expired" if now_s >= found["exp"] else "mismatched" if wrong else "valid"
    return {
        "status": status,
        "quote_id": found["sub"],
        "price_minor": found["price_minor"],
        "currency": found["currency"],
        "fraction_digits": found["fraction_digits"],
        "mismatches": wrong,
    }


def main() -> int:
    """Check one token."""
    parser = argparse.ArgumentParser(description="Check a quote's token with the public keys alone.")
    parser.add_argument("--jwks", type=Path, required=True, help="file with the keys of /.well-known/jwks.json")
    parser.add_argument("--token", required=True)
    parser.add_argument("--product", help="id of the product that is about to be sold")
    parser.add_argument("--quantity", type=int)
    parser.add_argument("--shopper", help="id of the shopper who buys")
    asked = parser.parse_args()
    cart = {"product": asked.product, "quantity": asked.quantity, "shopper": asked.shopper}
    found = verify(asked.token, json.loads(asked.jwks.read_text("utf-8")), cart, time.time())
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["status"] == "valid" else 1


if __name__ == "__main__":
    sys.exit(main())
