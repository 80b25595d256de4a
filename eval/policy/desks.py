"""Two ways to the same service: in this process, or over HTTP to a server of its own on this machine."""

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
from agent.service.outcome_reports import OutcomeReport
from agent.service.service import Service
from agent.service.settings import Settings

_START_S: Final = 300.0


class Over(StrEnum):
    """How quotes are asked for."""

    PROCESS = "process"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Quoted:
    """A price answered, with its reference, minor units."""

    id: str
    price_minor: int
    reference_minor: int


class Desk(Protocol):
    """Where prices are asked for and sales are told."""

    def stock(self, catalogue: Sequence[ProductRecord]) -> None:
        """Make products known."""
        ...

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[Quoted]:
        """One answer a request.

        Raises:
            RuntimeError: One was refused.
        """
        ...

    def tell(self, sold: Mapping[str, bool], at: datetime) -> None:
        """What became of quotes."""
        ...

    def close(self) -> None:
        """End the service."""
        ...


class _Now(Clock):
    """The simulator's time."""

    def __init__(self) -> None:
        self.at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")

    def now(self) -> datetime:
        return self.at


class InProcess:
    """`Service.quote` and `Service.add_outcomes` on the simulator's clock; what is left to chance follows a seed."""

    def __init__(self, settings: Settings, seed: int) -> None:
        """Open a service over the settings' folder."""
        self._clock = _Now()
        store = open_store(settings)
        rng = np.random.default_rng((seed, 9))

        def parts(running: Components | None) -> Components:
            built = build_components(settings, store, self._clock, running)
            selector = built.pipeline.selector.drawing_from(lambda: rng)
            return replace(built, pipeline=replace(built.pipeline, selector=selector))

        self._service = Service(parts(None), parts)

    def stock(self, catalogue: Sequence[ProductRecord]) -> None:
        """Into the catalogue."""
        self._service.upsert_products(catalogue)

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[Quoted]:
        """As one batch."""
        self._clock.at = at
        found = []
        for answer in self._service.quote(requests):
            if not isinstance(answer, Decision):
                raise RuntimeError(f"a quote was refused: {answer}")
            found.append(Quoted(answer.id, answer.price_minor, answer.reference_minor))
        return found

    def drafts(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Prices as they would be now, nothing recorded and nothing left to chance."""
        return self._service.drafts(requests)

    def tell(self, sold: Mapping[str, bool], at: datetime) -> None:
        """As one list."""
        self._service.add_outcomes([OutcomeReport(id_, _type(bought), None, at) for id_, bought in sold.items()])

    def close(self) -> None:
        """Close the service."""
        self._service.close()


class OverHttp:
    """A `pricesmith serve` of its own on 127.0.0.1: real requests, real answers, the server's own clock and chance."""

    def __init__(self, settings: Settings) -> None:
        """Start a server and wait until it is ready.

        Raises:
            RuntimeError: It ended or did not get ready in time.
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

    def stock(self, catalogue: Sequence[ProductRecord]) -> None:
        """`PUT /v1/products`."""
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

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[Quoted]:
        """`POST /v1/quotes/batch`."""
        body = {"quotes": [one.model_dump(mode="json", exclude_defaults=True) for one in requests]}
        answer = self._checked(self._http.post("/v1/quotes/batch", json=body))
        found = []
        for row in answer["results"]:
            if row["status"] != 200:
                raise RuntimeError(f"a quote was refused: {row}")
            quote = row["quote"]
            amounts = (quote[name]["amount_minor"] for name in ("price", "reference_price"))
            found.append(Quoted(quote["id"], *amounts))
        return found

    def tell(self, sold: Mapping[str, bool], at: datetime) -> None:
        """`POST /v1/outcomes`, as a list."""
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
                raise RuntimeError(f"the server ended with code {self._server.returncode}")
            try:
                if self._http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"the server was not ready after {_START_S:.0f} s")

    def _checked(self, response: httpx.Response) -> Any:
        if response.status_code >= 300:
            raise RuntimeError(f"{response.request.method} {response.request.url.path}: {response.text[:500]}")
        return response.json() if response.content else None


def _type(bought: bool) -> OutcomeType:
    return OutcomeType.PURCHASED if bought else OutcomeType.DECLINED


def _money(minor: int | None, currency: str) -> dict[str, object] | None:
    return None if minor is None else {"amount_minor": minor, "currency": currency}
