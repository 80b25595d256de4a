"""Pricesmith as a policy: the shipped models and the service's own pipeline, in process, on an empty data folder."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from agent.api.schemas import QuoteRequest
from agent.assembly import build_parts, open_store
from agent.clock import Clock
from agent.decision import Decision
from agent.pricing import Service
from agent.records import OutcomeType
from agent.service import OutcomeReport
from agent.settings import Settings
from eval.simulators import Visit, World


@dataclass(slots=True)
class _Now(Clock):
    """The simulator's time."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at


@dataclass(slots=True)
class Pricesmith:
    """Prices through `Service.quote`, learns through `Service.add_outcomes`; counts breaches of its limits."""

    world: World
    models: Path
    exploration: str = "normal"
    control_frac: float = 0.0
    breaches: int = 0
    settings: Settings = field(init=False)
    _service: Service = field(init=False)
    _clock: _Now = field(init=False)
    _folder: Path = field(init=False)
    _asked: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open a service over the models and the world's catalogue."""
        self._folder = Path(mkdtemp(prefix="pricesmith-sim-"))
        (self._folder / "models").symlink_to(self.models.resolve())
        limits = self.world.limits
        self.settings = settings = Settings.model_validate(
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
                "weight_profit": 1.0,
                "weight_purchase": 0.0,
                "weight_satisfaction": 0.0,
                "default_deadline_ms": 60_000,
            }
        )
        self._clock = _Now()
        store = open_store(settings)
        self._service = Service(
            build_parts(settings, store, self._clock, None),
            lambda running: build_parts(settings, store, self._clock, running),
        )
        self._service.upsert_products(self.world.catalogue())

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """One quote a visit."""
        self._clock.at = visits[-1].at
        answers = self._service.quote([self._request(visit) for visit in visits])
        self._asked = [answer for answer in answers if isinstance(answer, Decision)]
        if len(self._asked) != len(visits):
            raise RuntimeError(f"a quote was refused: {next(a for a in answers if not isinstance(a, Decision))}")
        low, high = self.world.limits.low, self.world.limits.high
        ratios = [decision.price_minor / decision.reference_minor for decision in self._asked]
        slack = [0.6 / decision.reference_minor for decision in self._asked]
        self.breaches += sum(not low - s <= r <= high + s for r, s in zip(ratios, slack, strict=True))
        return ratios

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Report every outcome."""
        self._service.add_outcomes(
            [
                OutcomeReport(
                    decision.id, OutcomeType.PURCHASED if sold else OutcomeType.DECLINED, None, self._clock.at
                )
                for decision, sold in zip(self._asked, bought, strict=True)
            ]
        )

    def close(self) -> None:
        """Close the service and remove its folder."""
        self._service.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _request(self, visit: Visit) -> QuoteRequest:
        profile = dict(visit.traits)
        context: dict[str, Any] = {"at": visit.at.isoformat()}
        if visit.units is not None and visit.hours is not None:
            deadline = visit.at + timedelta(hours=visit.hours)
            context |= {
                "inventory": visit.units,
                "deadline": deadline.isoformat(),
            }
        product: dict[str, Any] = {"id": visit.product}
        listed = self._service.list_price(visit.product) or 0
        product["cost"] = {"amount_minor": round(visit.cost * listed), "currency": "USD"}
        limits = {"max_price": {"amount_minor": round(self.world.limits.high * listed), "currency": "USD"}}
        return QuoteRequest.model_validate(
            {"shopper": {"profile": profile}, "product": product, "context": context, "limits": limits}
        )
