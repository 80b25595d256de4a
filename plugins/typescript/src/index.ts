/** Typed access to Pricesmith: `createPricesmith`, and every schema of its OpenAPI document as a type. */

import createClient, { type Client } from "openapi-fetch";

import type { paths, Problem } from "./schema.js";

export type * from "./schema.js";

/** Media types that a call may answer with; streams of server-sent events are read from `response`. */
type Media = "application/json" | "application/problem+json" | `text/plain;${string}`;

/** One method a verb (`GET`, `POST`, ...), each taking a path of the service and what that path takes. */
export type Pricesmith = Client<paths, Media>;

export interface PricesmithOptions {
  /** Address of the service, such as `https://prices.example`. */
  url: string;
  /** An API key; it stays on the server: browsers get publishable keys or none. */
  key: string;
  /** In place of the global `fetch`: for tests, proxies and timeouts. */
  fetch?: (request: Request) => Promise<Response>;
}

/** An answer that is an error. */
export class PricesmithError extends Error {
  override readonly name = "PricesmithError";

  constructor(
    /** HTTP status. */
    readonly status: number,
    /** Problem details; undefined where the answer was none of Pricesmith's. */
    readonly problem: Problem | undefined,
    /** Id of the request in the service's log. */
    readonly requestId: string | null,
  ) {
    super(problem?.detail ?? `the service answered ${status}`);
  }
}

/** Make a client for one service and key. */
export function createPricesmith({ url, key, fetch }: PricesmithOptions): Pricesmith {
  return createClient<paths, Media>({
    baseUrl: url,
    headers: { Authorization: `Bearer ${key}` },
    ...(fetch === undefined ? {} : { fetch }),
  });
}

/** The data of an answer.
 *
 * @throws PricesmithError where the answer is an error.
 */
export async function unwrap<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await asked;
  if (!response.ok) {
    const problem = typeof error === "object" && error !== null && "detail" in error ? (error as Problem) : undefined;
    throw new PricesmithError(response.status, problem, response.headers.get("X-Request-Id"));
  }
  return data as T;
}
