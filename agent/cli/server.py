"""A running Pricesmith server, asked over HTTP."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import httpx

from agent.cli.errors import ServerRefused, ServerUnavailable
from agent.store import StoreKind

TIMEOUT_S: Final = 30.0
_EVERYTHING: Final = "include=candidates"
_LATER: Final = (429, 502, 503, 504)  # the same request may succeed later


class Server:
    """One server and the key that it is asked with."""

    def __init__(self, url: str, key: str, timeout_s: float = TIMEOUT_S) -> None:
        """Connect on first use.

        Raises:
            ServerRefused: The address or the key cannot be sent.
        """
        parsed = _parsed(url)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ServerRefused("the key is no API key; remedy: a file that holds the key alone, in one line")
        self._url = str(parsed)
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            base_url=parsed, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_s, trust_env=False
        )

    def quote(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Price one product: candidates included where the key has the scope `merchant`, else the shopper's view."""
        try:
            return self.post(f"/v1/quotes?{_EVERYTHING}", request)
        except ServerRefused as refused:
            if not str(refused).startswith(_EVERYTHING):  # as the refusal of a key without that scope begins
                raise
            return self.post("/v1/quotes", request)

    def store(self) -> Mapping[str, str]:
        """Kind of the server's store under `store`; empty where the server does not say."""
        try:
            found = self._object(self._client.get("/readyz")).get("store")
        except (httpx.TransportError, ServerRefused):
            return {}
        return {"store": found} if found in tuple(StoreKind) else {}

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send JSON; returns the JSON object that the server answers.

        Raises:
            ServerUnavailable: It cannot be reached, did not answer in time, or is overloaded.
            ServerRefused: It refused the key or the request, or is not a Pricesmith server.
        """
        try:
            response = self._client.post(path, json=body)
        except httpx.TimeoutException as error:
            raise ServerUnavailable(
                f"the server at {self._url} did not answer within {self._timeout_s:g} s; remedy: try again, and look "
                "at its log"
            ) from error
        except httpx.TransportError as error:
            raise ServerUnavailable(
                f"no server answers at {self._url} ({error}); remedy: start one with `pricesmith serve`, or give its "
                "address with --url"
            ) from error
        if response.is_success:
            return self._object(response)
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> RuntimeError:
        """The error that a response which is no success stands for."""
        if response.status_code == 401:
            return ServerRefused(
                f"the server at {self._url} does not know this API key; remedy: `pricesmith keys create NAME` on the "
                "server's data folder makes one"
            )
        problem = self._object(response)
        text = str(problem.get("detail") or problem.get("title") or f"status {response.status_code}")
        for one in problem.get("errors") or ():
            text += f"\n  {one['field']}: {one['message']}"
            text += f"; allowed: {one['allowed']}" if one["allowed"] else ""
        if response.status_code in _LATER:
            return ServerUnavailable(f"the server at {self._url} cannot answer now: {text}; remedy: try again")
        if response.status_code == 403:
            return ServerRefused(f"{text}; remedy: pricesmith keys create NAME --scope quotes")
        return ServerRefused(f"the server refused the request ({response.status_code}): {text}")

    def _object(self, response: httpx.Response) -> Mapping[str, Any]:
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerRefused(
                f"{self._url} answers with status {response.status_code}, but not as a Pricesmith server does; remedy: "
                "check --url"
            )
        return found

    def __enter__(self) -> "Server":
        """The server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ServerRefused(f"{url[:80]!r} is no address: {error}; allowed: such as http://127.0.0.1:8000") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ServerRefused(f"{url[:80]!r} is no address of a server; allowed: such as http://127.0.0.1:8000")
    return parsed
