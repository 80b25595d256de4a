"""Candidate prices with their scores, and past outcomes of alike offers: one by one, and as columns of a decision.

A decision has some ten candidates and thirty outcomes, most of which nobody looks at. They are computed, recorded and
stored as columns, lists of numbers and words in the order of the rows; a row is made when it is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final, overload

from models.strategist.strategy import Strategy

_ENDS: Final = 3  # numbers of a score: value, low, high


class Source(StrEnum):
    """Who proposed a candidate."""

    MODEL = "model"
    RETRIEVED = "retrieved"
    NUMERIC = "numeric"
    REFERENCE = "reference"


class Origin(StrEnum):
    """The way in which a candidate came into a request, whoever proposed its strategy."""

    PROPOSED = "proposed"
    """Made for this request."""
    EXPLORED = "explored"
    """Added for exploration: the best price in some posterior draws (Thompson sampling)."""
    STANDING = "standing"
    """The price of this shopper's earlier quote, which has not expired."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScoreOrigin:
    """Origin of what scores rest on; empty in decisions without scores, and in those recorded without it.

    Attributes:
        satisfaction: `prior`, `demo_store` or `own_outcomes`.
        priors: Names of constants that entered and that no outcome told anything of.
    """

    satisfaction: str = ""
    priors: tuple[str, ...] = ()


NO_ORIGIN: Final = ScoreOrigin()


@dataclass(frozen=True, slots=True)
class Scores:
    """Purchase probability (0-1), expected profit (minor units, whole quantity), satisfaction (0-1) at one price."""

    purchase_probability: Interval
    profit: Interval
    satisfaction: Interval


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposed price: `raw_minor` before the limits, `price_minor` after them; scores are at `price_minor`.

    `probability` is that of being selected.
    """

    strategy: Strategy
    source: Source
    rationale: str
    raw_minor: int
    price_minor: int
    scores: Scores
    probability: float = 0.0
    chosen: bool = False
    origin: Origin = Origin.PROPOSED


@dataclass(frozen=True, slots=True)
class PastOutcome:
    """A retrieved outcome of a similar shopper and product.

    Attributes:
        price_ratio: Offered price over its reference price.
        weight: Inverse sampling rate of the log that it came from.
    """

    outcome_id: str
    product_id: str
    price_ratio: float
    bought: bool
    weight: float
    similarity: float


@dataclass(frozen=True, slots=True)
class CandidateColumns(Sequence[Candidate]):
    """Candidates; each score is a list of value, low and high. Other fields as in `Candidate`.

    Raises:
        ValueError: Columns differ in length, or a score has not three numbers.
    """

    strategy: list[Strategy] = field(default_factory=list)
    source: list[Source] = field(default_factory=list)
    rationale: list[str] = field(default_factory=list)
    raw_minor: list[int] = field(default_factory=list)
    price_minor: list[int] = field(default_factory=list)
    purchase_probability: list[list[float]] = field(default_factory=list)
    profit: list[list[float]] = field(default_factory=list)
    satisfaction: list[list[float]] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)
    chosen: list[bool] = field(default_factory=list)
    origin: list[Origin] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check that the columns are of the same rows."""
        scores = (self.purchase_probability, self.profit, self.satisfaction)
        words = (self.strategy, self.source, self.rationale, self.origin)
        _check_lengths(*words, *scores, self.raw_minor, self.price_minor, self.probability, self.chosen)
        if not all({_ENDS}.issuperset(map(len, score)) for score in scores):
            raise ValueError("a score has value, low and high")

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> "CandidateColumns":
        """The columns of candidates."""
        rows = list(candidates)
        return cls(
            strategy=[one.strategy for one in rows],
            source=[one.source for one in rows],
            rationale=[one.rationale for one in rows],
            raw_minor=[one.raw_minor for one in rows],
            price_minor=[one.price_minor for one in rows],
            purchase_probability=[_numbers(one.scores.purchase_probability) for one in rows],
            profit=[_numbers(one.scores.profit) for one in rows],
            satisfaction=[_numbers(one.scores.satisfaction) for one in rows],
            probability=[one.probability for one in rows],
            chosen=[one.chosen for one in rows],
            origin=[one.origin for one in rows],
        )

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.strategy)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Candidate]: ...

    def __getitem__(self, index: int | slice) -> Candidate | Sequence[Candidate]:
        """One candidate, or those of a slice."""
        if isinstance(index, slice):
            return [self._row(one) for one in range(len(self))[index]]
        return self._row(index)

    def _row(self, index: int) -> Candidate:
        scores = (self.purchase_probability, self.profit, self.satisfaction)
        return Candidate(
            strategy=self.strategy[index],
            source=self.source[index],
            rationale=self.rationale[index],
            raw_minor=self.raw_minor[index],
            price_minor=self.price_minor[index],
            scores=Scores(*(Interval(*column[index]) for column in scores)),
            probability=self.probability[index],
            chosen=self.chosen[index],
            origin=self.origin[index],
        )


@dataclass(frozen=True, slots=True)
class PastOutcomeColumns(Sequence[PastOutcome]):
    """Past outcomes; fields as in `PastOutcome`.

    Raises:
        ValueError: Columns differ in length.
    """

    outcome_id: list[str] = field(default_factory=list)
    product_id: list[str] = field(default_factory=list)
    price_ratio: list[float] = field(default_factory=list)
    bought: list[bool] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    similarity: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check that the columns are of the same rows."""
        numbers = (self.price_ratio, self.weight, self.similarity)
        _check_lengths(self.outcome_id, self.product_id, self.bought, *numbers)

    @classmethod
    def of(cls, outcomes: Iterable[PastOutcome]) -> "PastOutcomeColumns":
        """The columns of outcomes."""
        rows = list(outcomes)
        return cls(*([getattr(one, column.name) for one in rows] for column in fields(cls)))

    def __len__(self) -> int:
        """Number of outcomes."""
        return len(self.outcome_id)

    @overload
    def __getitem__(self, index: int) -> PastOutcome: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[PastOutcome]: ...

    def __getitem__(self, index: int | slice) -> PastOutcome | Sequence[PastOutcome]:
        """One outcome, or those of a slice."""
        if isinstance(index, slice):
            return [self._row(one) for one in range(len(self))[index]]
        return self._row(index)

    def _row(self, index: int) -> PastOutcome:
        return PastOutcome(
            self.outcome_id[index],
            self.product_id[index],
            self.price_ratio[index],
            self.bought[index],
            self.weight[index],
            self.similarity[index],
        )


def _numbers(score: Interval) -> list[float]:
    return [score.value, score.low, score.high]


def _check_lengths(*columns: Sequence[object]) -> None:
    lengths = set(map(len, columns))
    if len(lengths) > 1:
        raise ValueError(f"columns have {min(lengths)} to {max(lengths)} rows; allowed: the same number")
