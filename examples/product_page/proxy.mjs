// A shop's own server between the browser and Pricesmith, in Node 20 without dependencies.
//
//   PRICESMITH_URL=http://127.0.0.1:8000 PRICESMITH_KEY=... node examples/product_page/proxy.mjs
//
//   GET  /price?product=ID   what the product page shows: price, notice, and a token for the cart
//   POST /checkout           {"token": ..., "product": ID, "quantity": 1}: verifies, sells, reports the outcome
//
// The key needs the scopes `quotes` and `outcomes`. The shopper comes from the shop's own session, here the cookie
// `shopper`.
import { createServer } from "node:http";

const URL_ = process.env.PRICESMITH_URL ?? "http://127.0.0.1:8000";
const KEY = process.env.PRICESMITH_KEY;
const PORT = Number(process.env.PORT ?? 8080);
const DEADLINE_MS = 300; // what the page is willing to wait for a price
const LIST_PRICES = JSON.parse(process.env.SHOP_LIST_PRICES ?? "{}"); // the shop's own catalogue: {"ID": "2.99 USD"}
const TRIES = 3;

// Pricesmith gave no answer in time (no status), or asked to come back later (429, 503).
class Unavailable extends Error {
  constructor(reason, retryAfterS = 1) {
    super(reason);
    this.retryAfterS = retryAfterS;
  }
}

// The request is refused for good: a bug here, or input that cannot be priced.
class Refused extends Error {}

async function ask(path, body, { timeoutMs, once }) {
  const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
  if (once) headers["Idempotency-Key"] = once; // a repetition is answered as the first time
  let answer;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    answer = await fetch(URL_ + path, { method: "POST", headers, body: JSON.stringify(body), signal });
  } catch (error) {
    throw new Unavailable(error.message);
  }
  if (answer.status === 503 || answer.status === 429) {
    throw new Unavailable(String(answer.status), Number(answer.headers.get("retry-after") ?? 1));
  }
  const found = await answer.json();
  if (!answer.ok) throw new Refused(found.detail);
  return found;
}

// What the page shows. Without an answer in time: the list price, which needs no token at checkout.
async function price(product, shopper) {
  const body = { product: { id: product }, deadline_ms: DEADLINE_MS };
  if (shopper) body.shopper = { id: shopper };
  let quote;
  try {
    quote = await ask("/v1/quotes", body, { timeoutMs: 2 * DEADLINE_MS + 1000 });
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return { price: LIST_PRICES[product] ?? null, token: null, notice: null };
  }
  const { text, required, option } = quote.disclosure;
  const { token, valid_until } = quote;
  return { price: shown(quote.price), token, valid_until, notice: required ? text : null, option };
}

// Verify the token against the cart, sell, report. Only a valid token sells at its price.
async function checkout({ token, product, quantity = 1 }) {
  const found = await retried("/v1/quotes/verify", { token, product_id: product, quantity });
  if (found.status !== "valid") return [409, { sold: false, status: found.status }];
  // The shop takes the money here. The outcome is reported afterwards, and under a key, so that a retry counts once.
  const outcome = { quote_id: found.quote_id, type: "purchased", quantity };
  await retried("/v1/outcomes", outcome, `sold-${found.quote_id}`);
  return [200, { sold: true, price: shown(found.price), quote_id: found.quote_id }];
}

// Ask again when Pricesmith says to come back: money is involved, so waiting is right here.
async function retried(path, body, once) {
  for (let left = TRIES - 1; ; left--) {
    try {
      return await ask(path, body, { timeoutMs: 10_000, once });
    } catch (error) {
      if (!(error instanceof Unavailable) || left === 0) throw error;
      await new Promise((wake) => setTimeout(wake, 1000 * error.retryAfterS));
    }
  }
}

function shown({ amount_minor, currency, fraction_digits }) {
  return `${(amount_minor / 10 ** fraction_digits).toFixed(fraction_digits)} ${currency}`;
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text || "{}");
}

async function answered(request) {
  const address = new URL(request.url, "http://shop");
  const product = address.searchParams.get("product");
  if (request.method === "GET" && address.pathname === "/price" && product) {
    const cookie = /(?:^|;\s*)shopper=([^;]+)/.exec(request.headers.cookie ?? "");
    return [200, await price(product, cookie?.[1])];
  }
  if (request.method === "POST" && address.pathname === "/checkout") return checkout(await bodyOf(request));
  return [404, { error: "GET /price?product=ID, POST /checkout" }];
}

createServer(async (request, response) => {
  let reply;
  try {
    reply = await answered(request);
  } catch (error) {
    reply = [error instanceof Unavailable ? 503 : 502, { error: error.message }];
  }
  response.writeHead(reply[0], { "Content-Type": "application/json" }).end(JSON.stringify(reply[1]));
}).listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/price?product=ID`));
