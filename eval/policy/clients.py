"""Clients of the service for simulations: in process, or over HTTP to a server started on this machine."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import httpx
import numpy as np

from agent.domain.clock import Clock
from agent.domain.decision import Decision
from agent.domain.records import OutcomeType, ProductRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.service.assembly import build_components
from agent.service.components import Components
from agent.service.opening import open_store
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from agent.service.settings import Settings

_START_S: Final = 300.0


class Over(StrEnum):
    """Transport between simulation and service."""

    PROCESS = "process"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class QuotedPrice:
    """Price and reference price of a quote, in minor units."""

    id: str
    price_minor: int
    reference_minor: int


class ServiceClient(Protocol):
    """Client that requests quotes and reports outcomes."""

    def load_catalogue(self, catalogue: Sequence[ProductRecord]) -> None:
        """Add the products of a catalogue."""
        ...

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[QuotedPrice]:
        """Request one quote per request.

        Raises:
            RuntimeError: A request was refused.
        """
        ...

    def report_outcomes(self, sold: Mapping[str, bool], at: datetime) -> None:
        """Report for each quote id whether the shopper bought."""
        ...

    def close(self) -> None:
        """Stop the service."""
        ...


class _Now(Clock):
    """Clock set to the simulator's time."""

    def __init__(self) -> None:
        self.at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")

    def now(self) -> datetime:
        return self.at


class InProcessClient:
    """Calls `Service.quote` and `Service.add_outcomes` on the simulator's clock, with seeded exploration."""

    def __init__(self, settings: Settings, seed: int) -> None:
        """Open a service on the settings' data folder."""
        self._clock = _Now()
        store = open_store(settings)
        rng = np.random.default_rng((seed, 9))

        def parts(running: Components | None) -> Components:
            built = build_components(settings, store, self._clock, running)
            selector = built.pipeline.selector.drawing_from(lambda: rng)
            return replace(built, pipeline=replace(built.pipeline, selector=selector))

        self._service = Service(parts(None), parts)

    def load_catalogue(self, catalogue: Sequence[ProductRecord]) -> None:
        """Add the products of a catalogue."""
        self._service.upsert_products(catalogue)

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[QuotedPrice]:
        """Request quotes as one batch."""
        self._clock.at = at
        found = []
        for answer in self._service.quote(requests):
            if not isinstance(answer, Decision):
                raise RuntimeError(f"the service refused a quote: {answer}")
            found.append(QuotedPrice(answer.id, answer.price_minor, answer.reference_minor))
        return found

    def drafts(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Compute prices without exploration and without recording."""
        return self._service.drafts(requests)

    def report_outcomes(self, sold: Mapping[str, bool], at: datetime) -> None:
        """Report outcomes as one list."""
        self._service.add_outcomes([OutcomeReport(id_, _type(bought), None, at) for id_, bought in sold.items()])

    def close(self) -> None:
        """Close the service."""
        self._service.close()


class HttpClient:
    """Starts `pricesmith serve` on 127.0.0.1 and calls it over HTTP; clock and exploration are the server's."""

    def __init__(self, settings: Settings) -> None:
        """Start a server and wait until it is ready.

        Raises:
            RuntimeError: The server ended or was not ready in time.
        """
        key = secrets.token_urlsafe(24)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        own = settings.model_dump(mode="json", exclude_defaults=True) | {
            "bootstrap_key": key,
            "body_limit_bytes": 2**24,
        }
        environment = {f"PRICESMITH_{name.upper()}": str(value) for name, value in own.items()}
        command = [sys.executable, "-m", "agent.cli", "serve", "--port", str(port)]
        self._server = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)  # noqa: S603
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def load_catalogue(self, catalogue: Sequence[ProductRecord]) -> None:
        """Call `PUT /v1/products`."""
        products = [
            {
                "id": one.product_id,
                "title": one.title,
                "category": one.category,
                "list_price": _money(one.list_minor, one.currency),
                "cost": _money(one.cost_minor, one.currency),
            }
            for one in catalogue
        ]
        self._checked(self._http.put("/v1/products", json={"products": products}))

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[QuotedPrice]:
        """Call `POST /v1/quotes/batch`."""
        body = {"quotes": [one.model_dump(mode="json", exclude_defaults=True) for one in requests]}
        answer = self._checked(self._http.post("/v1/quotes/batch", json=body))
        found = []
        for row in answer["results"]:
            if row["status"] != 200:
                raise RuntimeError(f"the service refused a quote: {row}")
            quote = row["quote"]
            amounts = (quote[name]["amount_minor"] for name in ("price", "reference_price"))
            found.append(QuotedPrice(quote["id"], *amounts))
        return found

    def report_outcomes(self, sold: Mapping[str, bool], at: datetime) -> None:
        """Call `POST /v1/outcomes` with a list."""
        rows = [{"quote_id": id_, "type": _type(bought).value} for id_, bought in sold.items()]
        self._checked(self._http.post("/v1/outcomes", json={"outcomes": rows}))

    def close(self) -> None:
        """Stop the server."""
        self._http.close()
        self._server.terminate()
        try:
            self._server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                raise RuntimeError(
                    f"the server exited with code {self._server.returncode} before it was ready; remedy: run "
                    "pricesmith serve to see its output"
                )
            try:
                if self._http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"the server was not ready after {_START_S:.0f} s; remedy: run pricesmith serve")

    def _checked(self, response: httpx.Response) -> Any:
        if response.status_code >= 300:
            raise RuntimeError(f"{response.request.method} {response.request.url.path}: {response.text[:500]}")
        return response.json() if response.content else None


def _type(bought: bool) -> OutcomeType:
    return OutcomeType.PURCHASED if bought else OutcomeType.DECLINED


def _money(minor: int | None, currency: str) -> dict[str, object] | None:
    return None if minor is None else {"amount_minor": minor, "currency": currency}
