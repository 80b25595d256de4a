"""Pricesmith as a policy: the shipped models and the full service on an empty data folder."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.service.settings import Settings
from eval.policy.clients import HttpClient, InProcessClient, Over, QuotedPrice, ServiceClient
from eval.simulators import Visit, World
from models.evaluator.utility import Weights

PROFIT_ONLY: Final = Weights(1.0, 0.0, 0.0)


@dataclass(slots=True)
class Pricesmith:
    """Prices and learns through the service, in process or over HTTP; counts prices outside the limits."""

    world: World
    models: Path
    seed: int = 0
    weights: Weights = PROFIT_ONLY
    over: Over = Over.PROCESS
    exploration: str = "normal"
    control_frac: float = 0.0
    breaches: int = 0
    settings: Settings = field(init=False)
    _client: ServiceClient = field(init=False)
    _folder: Path = field(init=False)
    _listed: dict[str, int] = field(init=False)
    _quotes: list[QuotedPrice] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open a service with the models and the world's catalogue."""
        self._folder = Path(mkdtemp(prefix="pricesmith-sim-"))
        (self._folder / "models").symlink_to(self.models.resolve())
        limits = self.world.limits
        self.settings = Settings.model_validate(
            {
                "data_dir": self._folder,
                "pack": self.world.pack,
                "personalises": True,
                "exploration": self.exploration,
                "control_frac": self.control_frac,
                "language_model": False,
                "never_above_reference": limits.high <= 1.0,
                "min_margin_frac": 0.0,
                "max_discount_frac": 1 - limits.low,
                "max_change_frac": 100.0,
                "weight_profit": self.weights.profit,
                "weight_purchase": self.weights.purchase,
                "weight_satisfaction": self.weights.satisfaction,
                "default_deadline_ms": 60_000,
                "threads": 1,
            }
        )
        self._client = (
            InProcessClient(self.settings, self.seed) if self.over is Over.PROCESS else HttpClient(self.settings)
        )
        catalogue = self.world.catalogue()
        self._listed = {product.product_id: product.list_minor or 0 for product in catalogue}
        self._client.load_catalogue(catalogue)

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Request one quote per visit."""
        self._quotes = self._client.quote([self.request(visit) for visit in visits], visits[-1].at)
        low, high = self.world.limits.low, self.world.limits.high
        ratios = [quoted.price_minor / quoted.reference_minor for quoted in self._quotes]
        slack = [0.6 / quoted.reference_minor for quoted in self._quotes]
        self.breaches += sum(not low - s <= r <= high + s for r, s in zip(ratios, slack, strict=True))
        return ratios

    def drafts(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Compute current prices without exploration and without recording.

        Raises:
            RuntimeError: The service runs over HTTP, where every quote is recorded.
        """
        if not isinstance(self._client, InProcessClient):
            raise RuntimeError("drafts are not available over HTTP; remedy: over=Over.PROCESS")
        return self._client.drafts(requests)

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Report every outcome."""
        sold = {quoted.id: one for quoted, one in zip(self._quotes, bought, strict=True)}
        self._client.report_outcomes(sold, visits[-1].at)

    def close(self) -> None:
        """Close the service and remove its folder."""
        self._client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def request(self, visit: Visit) -> QuoteRequest:
        """Build the quote request of a visit."""
        context: dict[str, Any] = {"at": visit.at.isoformat()}
        if visit.units is not None and visit.hours is not None:
            deadline = visit.at + timedelta(hours=visit.hours)
            context |= {"inventory": visit.units, "deadline": deadline.isoformat()}
        listed = self._listed[visit.product]
        product = {"id": visit.product, "cost": {"amount_minor": round(visit.cost * listed), "currency": "USD"}}
        limits = {"max_price": {"amount_minor": round(self.world.limits.high * listed), "currency": "USD"}}
        return QuoteRequest.model_validate(
            {"shopper": {"profile": dict(visit.traits)}, "product": product, "context": context, "limits": limits}
        )
