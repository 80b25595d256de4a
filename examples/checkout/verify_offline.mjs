// Checks a quote's token at the till with nothing but the public keys, in Node 20 without dependencies.
//
//   curl -s http://127.0.0.1:8000/.well-known/jwks.json > jwks.json
//   node examples/checkout/verify_offline.mjs --jwks jwks.json --token TOKEN --product ID --quantity 1
//
// Prints one JSON object. Exit code 0: sell at `price_minor`; 1: do not.
import { createPublicKey, verify as verified } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const TYPE = "pricesmith-quote+jwt";

// What the token is worth: valid, expired, mismatched, tampered, or of a key that is not in `jwks` (read them again).
// Offline nobody can see that a token was used before; the shop's own order table must know that (`quote_id`).
export function verify(token, jwks, cart, nowS) {
  const parts = token.split(".");
  const bytes = parts.map((part) => Buffer.from(part, "base64url"));
  // One spelling a token: decoders ignore spare bits of the last character, which would let a token be varied.
  if (parts.length !== 3 || bytes.some((raw, place) => raw.toString("base64url") !== parts[place])) {
    return { status: "tampered" };
  }
  let header, claims;
  try {
    [header, claims] = bytes.slice(0, 2).map((raw) => JSON.parse(raw));
  } catch {
    return { status: "tampered" };
  }
  const key = jwks.keys.find((one) => one.kid === header.kid);
  if (key === undefined) return { status: "unknown_key" };
  const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
  const genuine = verified(null, signed, createPublicKey({ key, format: "jwk" }), bytes[2]);
  if (!genuine || header.alg !== "EdDSA" || header.typ !== TYPE || claims.iss !== "pricesmith") {
    return { status: "tampered" };
  }
  const mismatches = Object.entries(cart)
    .filter(([name, told]) => told !== undefined && claims[name] !== told && !(name === "shopper" && !claims.shopper))
    .map(([name]) => name);
  const status = nowS >= claims.exp ? "expired" : mismatches.length ? "mismatched" : "valid";
  const { sub: quote_id, price_minor, currency, fraction_digits } = claims;
  return { status, quote_id, price_minor, currency, fraction_digits, mismatches };
}

const text = { type: "string" };
const options = { jwks: text, token: text, product: text, quantity: text, shopper: text };
const { values } = parseArgs({ options });
const cart = { product: values.product, quantity: values.quantity && Number(values.quantity), shopper: values.shopper };
const found = verify(values.token, JSON.parse(readFileSync(values.jwks)), cart, Date.now() / 1000);
console.log(JSON.stringify(found));
process.exitCode = found.status === "valid" ? 0 : 1;
