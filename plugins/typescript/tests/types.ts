/** What type-checks and what does not; compiled, never run. */

import { createPricesmith, unwrap, type Amount, type Money, type QuoteRequest, type ShownQuote } from "../src/index.js";

const pricesmith = createPricesmith({ url: "http://127.0.0.1:8000", key: "ps_key" });

export const asked: QuoteRequest = {
  shopper: { id: "shopper-42", profile: { age: 30, member: true, region: "urban" }, personalisation: "on" },
  product: { id: "espresso-1kg" },
  context: {
    competitor_prices: [{ amount_minor: 1799, currency: "USD" }],
    at: null,
    deadline: undefined,
    market_trend: "rising",
    weather: "snow",
    queue: 3,
  },
};

export async function shown(): Promise<ShownQuote> {
  const { data, error, response } = await pricesmith.POST("/v1/quotes", {
    params: { query: { view: "shopper" }, header: { "Idempotency-Key": "order-1" } },
    body: asked,
  });
  if (error !== undefined) {
    throw new Error(`${response.status}: ${error.title}, ${error.detail} (${error.errors.length} fields)`);
  }
  return data;
}

export async function profit(): Promise<number | undefined> {
  const quote = await unwrap(pricesmith.POST("/v1/quotes", { body: asked }));
  // @ts-expect-error: only the merchant's view has scores
  void quote.scores;
  return quote.view === "merchant" ? quote.scores?.profit.value : undefined;
}

export function sentBack(price: Amount): Money {
  return { amount_minor: price.amount_minor, currency: price.currency };
}

export async function outcomes(quoteId: string): Promise<number> {
  const one = await unwrap(pricesmith.POST("/v1/outcomes", { body: { quote_id: quoteId, type: "purchased" } }));
  return "results" in one ? one.results.length : one.quantity;
}

// @ts-expect-error: a request has a product
export const without: QuoteRequest = { shopper: { id: "shopper-42" } };

// @ts-expect-error: there is no such field
export const misspelt: QuoteRequest = { product: { id: "espresso-1kg" }, quantitiy: 2 };

export const wrong: QuoteRequest = {
  product: { id: "espresso-1kg" },
  context: {
    // @ts-expect-error: a price is money, not a number
    competitor_prices: [17.99],
  },
};

// @ts-expect-error: there is no such path
void pricesmith.GET("/v1/prices");

// @ts-expect-error: the path takes an id
void pricesmith.GET("/v1/quotes/{quote_id}");

// @ts-expect-error: there is no such event
void pricesmith.POST("/v1/events", { body: { shopper_id: "shopper-42", type: "looked" } });
