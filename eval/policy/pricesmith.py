"""Pricesmith as a policy: the shipped models and the service's own pipeline on an empty data folder."""

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
from eval.policy.desks import Desk, InProcess, Over, OverHttp, Quoted
from eval.simulators import Visit, World
from models.evaluator.utility import Weights

PROFIT_ALONE: Final = Weights(1.0, 0.0, 0.0)


@dataclass(slots=True)
class Pricesmith:
    """Prices and learns through the service, in this process or over HTTP; counts breaches of its limits."""

    world: World
    models: Path
    seed: int = 0
    weights: Weights = PROFIT_ALONE
    over: Over = Over.PROCESS
    exploration: str = "normal"
    control_frac: float = 0.0
    breaches: int = 0
    settings: Settings = field(init=False)
    _desk: Desk = field(init=False)
    _folder: Path = field(init=False)
    _listed: dict[str, int] = field(init=False)
    _asked: list[Quoted] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open a service over the models and the world's catalogue."""
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
        self._desk = InProcess(self.settings, self.seed) if self.over is Over.PROCESS else OverHttp(self.settings)
        catalogue = self.world.catalogue()
        self._listed = {product.product_id: product.list_minor or 0 for product in catalogue}
        self._desk.stock(catalogue)

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """One quote a visit."""
        self._asked = self._desk.quote([self.request(visit) for visit in visits], visits[-1].at)
        low, high = self.world.limits.low, self.world.limits.high
        ratios = [quoted.price_minor / quoted.reference_minor for quoted in self._asked]
        slack = [0.6 / quoted.reference_minor for quoted in self._asked]
        self.breaches += sum(not low - s <= r <= high + s for r, s in zip(ratios, slack, strict=True))
        return ratios

    def drafts(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Prices as they would be after what was learned, with nothing recorded and nothing left to chance.

        Raises:
            RuntimeError: The service is asked over HTTP, where every quote is recorded.
        """
        if not isinstance(self._desk, InProcess):
            raise RuntimeError("drafts are made in process only; remedy: over=Over.PROCESS")
        return self._desk.drafts(requests)

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Report every outcome."""
        sold = {quoted.id: one for quoted, one in zip(self._asked, bought, strict=True)}
        self._desk.tell(sold, visits[-1].at)

    def close(self) -> None:
        """Close the service and remove its folder."""
        self._desk.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def request(self, visit: Visit) -> QuoteRequest:
        """The quote that a visit asks for."""
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
