/** Calls every operation of a running service: `node calls.js`, with URL, KEY and ANOTHER_KEY in the environment.
 *
 * Prints the operations that it called. A new operation does not compile until it has a call here.
 */

import { createPricesmith, unwrap, type operations, type Pricesmith } from "../src/index.js";

/** What earlier calls found out for later ones. */
interface Found {
  quote: string;
  token: string;
  version: number;
  outcome: string;
  webhook: string;
  job: string;
}

type Call = (pricesmith: Pricesmith, found: Found) => Promise<unknown>;

const PRODUCT = "espresso-1kg";
const SHOPPER = "shopper-42";
const usd = (amount_minor: number) => ({ amount_minor, currency: "USD" });

/** One call for each operation, made in this order. */
const CALLS: Record<keyof operations, Call> = {
  getLiveness: (pricesmith) => unwrap(pricesmith.GET("/livez")),
  getReadiness: (pricesmith) => unwrap(pricesmith.GET("/readyz")),
  putProducts: (pricesmith) =>
    unwrap(
      pricesmith.PUT("/v1/products", {
        body: [{ id: PRODUCT, title: "Espresso beans", category: "coffee", list_price: usd(1899), cost: usd(1120) }],
      }),
    ),
  getProduct: (pricesmith) =>
    unwrap(pricesmith.GET("/v1/products/{product_id}", { params: { path: { product_id: PRODUCT } } })),
  listProducts: async (pricesmith) => {
    const first = await unwrap(pricesmith.GET("/v1/products", { params: { query: { limit: 1 } } }));
    if (first.has_more && first.next !== null) {
      await unwrap(pricesmith.GET("/v1/products", { params: { query: { limit: 1, after: first.next } } }));
    }
  },
  putShopper: (pricesmith) =>
    unwrap(
      pricesmith.PUT("/v1/shoppers/{shopper_id}", {
        params: { path: { shopper_id: SHOPPER } },
        body: { profile: { age: 41, member: true } },
      }),
    ),
  createEvents: (pricesmith) =>
    unwrap(pricesmith.POST("/v1/events", { body: { shopper_id: SHOPPER, type: "view", product_id: PRODUCT } })),
  listEvents: (pricesmith) => unwrap(pricesmith.GET("/v1/events", { params: { query: { shopper_id: SHOPPER } } })),
  createQuote: async (pricesmith, found) => {
    const quote = await unwrap(
      pricesmith.POST("/v1/quotes", {
        params: { query: { include: "candidates" }, header: { "Idempotency-Key": crypto.randomUUID() } },
        body: {
          shopper: { id: SHOPPER },
          product: { id: PRODUCT },
          context: { competitor_prices: [usd(1799)], at: null, weather: "snow" },
        },
      }),
    );
    if (quote.view !== "merchant" || quote.candidates === null) {
      throw new Error("this key sees everything, and candidates were asked for");
    }
    found.quote = quote.id;
    found.token = quote.token;
    return quote;
  },
  createQuotes: (pricesmith) =>
    unwrap(pricesmith.POST("/v1/quotes/batch", { body: { items: [{ product: { id: PRODUCT }, quantity: 2 }] } })),
  createPage: async (pricesmith) => {
    const body = { shopper: { id: SHOPPER }, products: [PRODUCT, "no-such-product", PRODUCT] };
    const page = await unwrap(pricesmith.POST("/v1/pages", { body }));
    if (page.quotes.length !== 3 || page.quotes[0]?.quote?.id !== page.quotes[2]?.quote?.id) {
      throw new Error("a page has a row for each product, and one quote for one that it names twice");
    }
  },
  verifyQuote: async (pricesmith, { token }) => {
    const { status, price } = await unwrap(pricesmith.POST("/v1/quotes/verify", { body: { token } }));
    if (status !== "valid" || price === null) {
      throw new Error(`the token is ${status}`);
    }
  },
  getQuote: (pricesmith, { quote }) =>
    unwrap(pricesmith.GET("/v1/quotes/{quote_id}", { params: { path: { quote_id: quote } } })),
  getQuoteReasons: (pricesmith, { quote }) =>
    unwrap(pricesmith.GET("/v1/quotes/{quote_id}/reasons", { params: { path: { quote_id: quote } } })),
  explainQuote: (pricesmith, { quote }) =>
    unwrap(
      pricesmith.POST("/v1/quotes/{quote_id}/explanations", { params: { path: { quote_id: quote } }, body: {} }),
    ),
  askQuestion: (pricesmith) =>
    unwrap(pricesmith.POST("/v1/questions", { body: { question: "Which categories have the largest discounts?" } })),
  listQuotes: (pricesmith) => unwrap(pricesmith.GET("/v1/quotes", { params: { query: { product_id: PRODUCT } } })),
  createOutcomes: async (pricesmith, found) => {
    const body = { quote_id: found.quote, type: "purchased" } as const;
    const made = await unwrap(pricesmith.POST("/v1/outcomes", { body }));
    if ("results" in made) {
      throw new Error("one outcome is answered bare");
    }
    found.outcome = made.id;
  },
  getOutcome: (pricesmith, { outcome }) =>
    unwrap(pricesmith.GET("/v1/outcomes/{outcome_id}", { params: { path: { outcome_id: outcome } } })),
  listOutcomes: (pricesmith) => unwrap(pricesmith.GET("/v1/outcomes")),
  createRecommendations: (pricesmith) =>
    unwrap(pricesmith.POST("/v1/recommendations", { body: { shopper: { id: SHOPPER }, limit: 2 } })),
  getShopper: (pricesmith) =>
    unwrap(pricesmith.GET("/v1/shoppers/{shopper_id}", { params: { path: { shopper_id: SHOPPER } } })),
  listShoppers: (pricesmith) => unwrap(pricesmith.GET("/v1/shoppers")),
  deleteShopper: (pricesmith) =>
    unwrap(pricesmith.DELETE("/v1/shoppers/{shopper_id}", { params: { path: { shopper_id: SHOPPER } } })),
  proposeRules: async (_, found) => {
    const another = client(needed("ANOTHER_KEY")); // approved below by a key other than the proposer's
    const document = { limits: { max_discount: 0.1, never_above_reference: true } };
    found.version = (await unwrap(another.POST("/v1/rules/versions", { body: { document } }))).version;
  },
  getRuleVersion: (pricesmith, { version }) =>
    unwrap(pricesmith.GET("/v1/rules/versions/{version}", { params: { path: { version } } })),
  previewRules: (pricesmith, { version }) =>
    unwrap(pricesmith.POST("/v1/rules/versions/{version}/preview", { params: { path: { version } }, body: {} })),
  approveRules: (pricesmith, { version }) =>
    unwrap(pricesmith.POST("/v1/rules/versions/{version}/approve", { params: { path: { version } }, body: {} })),
  activateRules: (pricesmith, { version }) =>
    unwrap(pricesmith.POST("/v1/rules/versions/{version}/activate", { params: { path: { version } }, body: {} })),
  getRules: (pricesmith) => unwrap(pricesmith.GET("/v1/rules")),
  listRuleVersions: (pricesmith) => unwrap(pricesmith.GET("/v1/rules/versions")),
  rollBackRules: (pricesmith) => unwrap(pricesmith.POST("/v1/rules/rollback", { body: { note: "Too few sales" } })),
  setKillSwitch: (pricesmith) => unwrap(pricesmith.POST("/v1/rules/kill-switch", { body: { on: false } })),
  getKillSwitch: (pricesmith) => unwrap(pricesmith.GET("/v1/rules/kill-switch")),
  createWebhook: async (pricesmith, found) => {
    const made = await unwrap(
      pricesmith.POST("/v1/webhooks", { body: { url: "http://127.0.0.1:9/", events: ["model.activated"] } }),
    );
    found.webhook = made.id;
  },
  listWebhooks: (pricesmith) => unwrap(pricesmith.GET("/v1/webhooks")),
  getWebhook: (pricesmith, { webhook }) =>
    unwrap(pricesmith.GET("/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: webhook } } })),
  deleteWebhook: (pricesmith, { webhook }) =>
    unwrap(pricesmith.DELETE("/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: webhook } } })),
  createImport: async (pricesmith, found) => {
    const made = await unwrap(
      pricesmith.POST("/v1/imports", {
        params: { query: { kind: "products", into_demo: true } },
        headers: { "Content-Type": "text/csv" },
        body: "product_id,title,list_price,cost,currency\nfilter-1kg,Filter coffee,14.99,8.10,USD\n",
        bodySerializer: (body) => body,
      }),
    );
    found.job = made.id;
  },
  cancelImport: (pricesmith, { job }) =>
    unwrap(pricesmith.POST("/v1/imports/{job_id}/cancel", { params: { path: { job_id: job } } })),
  getImport: (pricesmith, { job }) =>
    unwrap(pricesmith.GET("/v1/imports/{job_id}", { params: { path: { job_id: job } } })),
  listImports: (pricesmith) => unwrap(pricesmith.GET("/v1/imports", { params: { query: { state: "cancelled" } } })),
  createTraining: async (pricesmith, found) => {
    found.job = (await unwrap(pricesmith.POST("/v1/trainings", { body: { version: "typed", activate: false } }))).id;
  },
  cancelTraining: (pricesmith, { job }) =>
    unwrap(pricesmith.POST("/v1/trainings/{job_id}/cancel", { params: { path: { job_id: job } } })),
  getTraining: (pricesmith, { job }) =>
    unwrap(pricesmith.GET("/v1/trainings/{job_id}", { params: { path: { job_id: job } } })),
  listTrainings: (pricesmith) => unwrap(pricesmith.GET("/v1/trainings")),
  deleteProduct: (pricesmith) =>
    unwrap(pricesmith.DELETE("/v1/products/{product_id}", { params: { path: { product_id: PRODUCT } } })),
  getKeys: (pricesmith) => unwrap(pricesmith.GET("/v1/keys")),
  getPublicKeys: (pricesmith) => unwrap(pricesmith.GET("/.well-known/jwks.json")),
  listProblems: (pricesmith) => unwrap(pricesmith.GET("/problems")),
  getProblem: (pricesmith) =>
    unwrap(pricesmith.GET("/problems/{code}", { params: { path: { code: "key-missing" } } })),
  getMetrics: (pricesmith) => unwrap(pricesmith.GET("/metrics", { parseAs: "text" })),
  getOwnMetrics: (pricesmith) => unwrap(pricesmith.GET("/v1/metrics", { parseAs: "text" })),
};

const called = new Set<string>();

function needed(name: string): string {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

function client(key: string): Pricesmith {
  const made = createPricesmith({ url: needed("URL"), key });
  made.use({
    onResponse: ({ request, schemaPath }) => {
      called.add(`${request.method} ${schemaPath}`);
    },
  });
  return made;
}

const pricesmith = client(needed("KEY"));
const found: Found = { quote: "", token: "", version: 0, outcome: "", webhook: "", job: "" };
for (const [name, call] of Object.entries(CALLS)) {
  try {
    await call(pricesmith, found);
  } catch (error) {
    throw new Error(`${name} failed`, { cause: error });
  }
}
console.log(JSON.stringify([...called].sort()));
