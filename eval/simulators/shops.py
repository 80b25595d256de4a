"""Simulated shops with unlimited stock: courses, loans, and courses whose demand changes midway."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.domain.records import ProductRecord
from eval.simulators.world import Limits, RandomStreams, Visit

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
_EVERY: Final = timedelta(minutes=4)


class Shop(ABC):
    """Base of shops with evenly spaced visits; subclasses define the shoppers."""

    name = ""
    pack = "ecommerce"
    limits = Limits()
    batch = 10

    def __init__(self, seed: int) -> None:
        """Start at the first visit."""
        self._streams = RandomStreams(seed)
        self._seen = 0

    def visits(self, count: int) -> list[Visit]:
        """Next visits."""
        found = []
        for _ in range(count):
            found.append(self._visit(START + self._seen * _EVERY))
            self._seen += 1
        return found

    def settle(self, visit: Visit, ratio: float) -> bool:
        """Whether the shopper buys."""
        return bool(self._streams.sales.random() < float(visit.probability(ratio)))

    def opportunity(self, visit: Visit) -> float:
        """Unit cost, as stock is unlimited."""
        return visit.cost

    @abstractmethod
    def _visit(self, at: datetime) -> Visit: ...


class Courses(Shop):
    """Online courses: near-zero marginal cost; willingness to pay depends on segment and experience."""

    name = "courses"
    pack = "education"

    def catalogue(self) -> list[ProductRecord]:
        """Three courses."""
        return [
            ProductRecord(f"course-{i}", title, "USD", list_minor=price, cost_minor=price // 100, category=category)
            for i, (title, price, category) in enumerate(
                (
                    ("Introduction to statistics", 8_900, "data"),
                    ("Deep learning in practice", 24_900, "data"),
                    ("Watercolour for beginners", 4_900, "arts"),
                )
            )
        ]

    def _visit(self, at: datetime) -> Visit:
        rng = self._streams.arrivals
        course, segment = int(rng.integers(3)), ("student", "professional", "company")[int(rng.integers(3))]
        experience = float(rng.gamma(2.0, 4.0))
        worth = {"student": -0.55, "professional": -0.05, "company": 0.4}[segment]
        worth += 0.12 * (experience - 8) / 8 + (0.0, 0.15, -0.2)[course]
        slope = {"student": 6.0, "professional": 5.0, "company": 4.0}[segment]
        traits: dict[str, float | str] = {"segment": segment, "experience_years": round(experience, 1)}
        return Visit(f"course-{course}", traits, 0.01, slope * worth + 0.2, slope, at)


class Loans(Shop):
    """Loans: cost depends on the risk class; borrowers with other offers are more price-sensitive."""

    name = "loans"
    pack = "finance"
    limits = Limits(0.6, 1.6)

    def catalogue(self) -> list[ProductRecord]:
        """One loan, with the rate in basis points."""
        return [ProductRecord("loan", "Personal loan", "USD", list_minor=900, cost_minor=400, category="loans")]

    def _visit(self, at: datetime) -> Visit:
        rng = self._streams.arrivals
        risk = ("low", "middle", "high")[int(rng.integers(3))]
        offers, amount = int(rng.poisson(1.2)), float(rng.lognormal(9.0, 0.5))
        slope = 3.0 + 1.5 * min(offers, 3) + {"low": 1.5, "middle": 0.0, "high": -1.0}[risk]
        level = -0.4 + {"low": -0.3, "middle": 0.0, "high": 0.5}[risk] - 0.2 * min(offers, 3)
        cost = 400 / 900 + {"low": 0.0, "middle": 0.06, "high": 0.15}[risk]
        traits: dict[str, float | str] = {"risk_class": risk, "other_offers": float(offers), "amount": round(amount)}
        return Visit("loan", traits, cost, level, slope, at)


class Shifting(Courses):
    """Courses with a competitor entering after `at_visit` visits: demand falls and its price slope doubles."""

    name = "courses, shift midway"

    def __init__(self, seed: int, at_visit: int = 2_500) -> None:
        """Start before the shift."""
        super().__init__(seed)
        self._at_visit = at_visit

    def _visit(self, at: datetime) -> Visit:
        visit = super()._visit(at)
        if self._seen < self._at_visit:
            return visit
        slope = 2.0 * visit.slope
        return Visit(visit.product, visit.traits, visit.cost, visit.level - 0.25 * slope, slope, at)
