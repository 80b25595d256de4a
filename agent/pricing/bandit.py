"""The choice of step 5: abstention, and exploration with exact propensities.

Utilities come as means `(m,)` and as posterior draws `(m, draws)`, the same draws for every candidate. Without
exploration the best mean wins, unless it does not beat the reference by `min_gain` or does so in too few draws
(abstention). A price response learned from prices that were not drawn at random may be off by whatever those followed;
there a gain over the reference counts less its standard deviation (`caution`), so that prices learned from such
outcomes do not fall behind those that made them (Kallus and Zhou 2021).

With exploration a share of shoppers gets Thompson sampling (Thompson 1933) over the same draws, shrunk towards the mean
while the posterior is wide, and an information-directed choice (`information_directed.py`) as it narrows: Gaussian
draws far from the mean mislead both. The draws are finite, so that the probability of every final price is an exact
count or a closed form, not an estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.records import Shown
from agent.pricing.information_directed import mix
from agent.rules.exploration import Exploration, SelectionRules
from models.arrays import Floats

_THOMPSON_SHARE: Final = {Exploration.OFF: 0.0, Exploration.CAUTIOUS: 0.2, Exploration.NORMAL: 1.0}


@dataclass(frozen=True, slots=True)
class Contest:
    """Candidates of one request, as the bandit compares them.

    Attributes:
        reference: Index of the one that holds the reference price.
        shown: What this shopper was shown for this product before, None where that is nothing or not known.
        worth: Utility in draws `(m, draws)` over the mean utility of the reference: draws keep their own scale.
        narrow: Share of the information-directed choice in exploration, from 0 (wide posterior) to 1.
        caution: Standard deviations of its gain over the reference by which a candidate counts less.
    """

    prices: Sequence[int]
    mean: Floats
    draws: Floats
    reference: int
    shown: Shown | None = None
    worth: Floats | None = None
    narrow: float = 0.0
    caution: float = 0.0


@dataclass(frozen=True, slots=True)
class Contests:
    """Contests of n requests: arrays of m candidates, of which the first `count` of a row `(n,)` are its own."""

    prices: NDArray[np.int64]
    count: NDArray[np.int64]
    mean: Floats
    draws: Floats
    reference: NDArray[np.int64]
    shown: Sequence[Shown | None]
    worth: Floats
    narrow: Floats
    caution: float = 0.0

    @classmethod
    def single(cls, contest: Contest) -> "Contests":
        """One contest as a batch."""
        count = len(contest.prices)
        return cls(
            prices=np.asarray([contest.prices], np.int64),
            count=np.asarray([count], np.int64),
            mean=contest.mean[None],
            draws=contest.draws[None],
            reference=np.asarray([contest.reference], np.int64),
            shown=[contest.shown],
            worth=(contest.draws if contest.worth is None else contest.worth)[None],
            narrow=np.asarray([contest.narrow]),
            caution=contest.caution,
        )

    def rows(self, rows: Sequence[int]) -> "Contests":
        """Some of the contests."""
        if len(rows) == len(self.count):
            return self
        at = list(rows)
        return Contests(
            prices=self.prices[at],
            count=self.count[at],
            mean=self.mean[at],
            draws=self.draws[at],
            reference=self.reference[at],
            shown=[self.shown[row] for row in rows],
            worth=self.worth[at],
            narrow=self.narrow[at],
            caution=self.caution,
        )

    def one(self, row: int) -> Contest:
        """The contest of one request."""
        count = int(self.count[row])
        prices: list[int] = self.prices[row, :count].tolist()
        mean, draws, worth = self.mean[row, :count], self.draws[row, :count], self.worth[row, :count]
        reference, narrow = int(self.reference[row]), float(self.narrow[row])
        return Contest(prices, mean, draws, reference, self.shown[row], worth, narrow, self.caution)


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice.

    Attributes:
        probabilities: `(m,)`, the chance of each candidate being chosen; candidates with one price share its mass.
        propensity: The chance that this final price was shown.
        confidence: Share of posterior draws that agree with the choice.
        abstained: A candidate looked better than the reference, but not surely enough.
        explored: Another than the best known candidate, shown to learn from it.
    """

    index: int
    probabilities: Sequence[float]
    propensity: float
    confidence: float
    abstained: bool
    explored: bool = False


def select(contest: Contest, rules: SelectionRules, rng: np.random.Generator) -> Selection:
    """Choose one candidate of one request."""
    return choose(Contests.single(contest), [rules], rng)[0]


def choose(contests: Contests, rules: Sequence[SelectionRules], rng: np.random.Generator) -> list[Selection]:
    """Choose one candidate of each request; `rng` is drawn from only where something is left to chance."""
    if not len(contests.count):
        return []
    best = _greedy(contests, rules)
    columns = (best.index.tolist(), best.confidence.tolist(), best.abstained.tolist(), contests.count.tolist(), rules)
    found = []
    for row, (index, confidence, abstained, count, own) in enumerate(zip(*columns, strict=True)):
        if own.exploration is Exploration.OFF and not own.control_frac:
            certain = [0.0] * count
            certain[index] = 1.0
            found.append(Selection(index, certain, 1.0, confidence, abstained))
        else:
            found.append(_drawn(contests.one(row), Selection(index, (), 1.0, confidence, abstained), own, rng))
    return found


def _drawn(contest: Contest, greedy: Selection, rules: SelectionRules, rng: np.random.Generator) -> Selection:
    """The choice of one request where something may be left to chance."""
    probabilities = _chances(contest, greedy.index, rules)
    index = greedy.index
    if probabilities[index] < 1.0:
        index = int(rng.choice(len(probabilities), p=probabilities / probabilities.sum()))
    prices = np.asarray(contest.prices)
    propensity = min(1.0, float(probabilities[prices == prices[index]].sum()))
    chances: list[float] = probabilities.tolist()
    if index == greedy.index:
        return replace(greedy, probabilities=chances, propensity=propensity)
    confidence = float((contest.draws[index] >= contest.draws[contest.reference]).mean())
    return Selection(index, chances, propensity, confidence, greedy.abstained, explored=True)


def _chances(contest: Contest, greedy: int, rules: SelectionRules) -> Floats:
    """The probability of each candidate: the best one, those that exploration tries, the control group's reference."""
    share = _THOMPSON_SHARE[rules.exploration]
    chances = np.zeros(len(contest.prices))
    chances[greedy] = 1.0 - share
    if share > 0:
        winners = _winners(contest, greedy, rules)
        tried = np.bincount(winners, minlength=len(contest.prices)) / len(winners)
        if contest.narrow > 0 and contest.worth is not None:
            tried = (1.0 - contest.narrow) * tried + contest.narrow * _directed(contest, greedy, contest.worth, rules)
        chances += share * tried
    chances *= 1.0 - rules.control_frac
    chances[contest.reference] += rules.control_frac
    return chances


@dataclass(frozen=True, slots=True)
class _Greedy:
    """The choice of each request without chance, `(n,)` each."""

    index: NDArray[np.intp]
    confidence: Floats
    abstained: NDArray[np.bool_]


def _greedy(contests: Contests, rules: Sequence[SelectionRules]) -> _Greedy:
    """Index of the best mean, or of the reference where it is not surely beaten; confidence; whether it abstained."""
    min_gain, min_confidence = np.asarray([(one.min_gain, one.min_confidence) for one in rules], np.float64).T
    rows, reference = np.arange(len(rules)), contests.reference
    reference_price = contests.prices[rows, reference]
    own = np.arange(contests.prices.shape[1]) < contests.count[:, None]
    mean, at_reference = np.where(own, contests.mean, -np.inf), contests.draws[rows, reference]
    distance = np.abs(contests.prices - reference_price[:, None])
    plain = best = _argbest(mean, distance)
    margin = np.zeros_like(contests.mean)
    if contests.caution:
        margin = contests.caution * (contests.draws - at_reference[:, None]).std(axis=2)
        best = _argbest(mean - margin, distance)
    holds = contests.prices[rows, best] == reference_price
    better = (contests.draws[rows, best] > at_reference).mean(axis=1)
    gain = mean[rows, best] - mean[rows, reference]
    wins = ~holds & (gain >= min_gain) & (better >= min_confidence)

    others = np.where(contests.prices != reference_price[:, None], mean, -np.inf)
    rival = np.where(holds, others.argmax(axis=1), best)  # what the reference is held against
    alone = holds & ~np.isfinite(others.max(axis=1))
    wanted = min_gain + margin[rows, rival]
    sure = (contests.draws[rows, rival] <= at_reference + wanted[:, None]).mean(axis=1)
    confidence = np.where(wins, better, np.where(alone, 1.0, sure))
    tempted = contests.prices[rows, plain] != reference_price
    return _Greedy(np.where(wins, best, reference), confidence, tempted & ~wins)


def _argbest(mean: Floats, distance: NDArray[np.int64]) -> NDArray[np.intp]:
    """Highest utility of each row; ties go to the price nearest the reference, then to the first candidate."""
    tied = mean == mean.max(axis=1, keepdims=True)
    nearest = np.where(tied, distance, np.iinfo(np.int64).max)
    best: NDArray[np.intp] = nearest.argmin(axis=1)
    return best


def _winners(contest: Contest, greedy: int, rules: SelectionRules) -> NDArray[np.intp]:
    """Index of the best allowed candidate of each draw, `(draws,)`; of equal prices, the first."""
    draws = contest.mean[:, None] + rules.boldness * (contest.draws - contest.mean[:, None])
    draws = np.where(_may_be_tried(contest, greedy, rules)[:, None], draws, -np.inf)
    enough = draws[greedy] >= draws.max(axis=0) - rules.good_enough
    return np.where(enough, greedy, draws.argmax(axis=0))


def _directed(contest: Contest, greedy: int, worth: Floats, rules: SelectionRules) -> Floats:
    """Probabilities of the information-directed choice between the allowed candidates, `(m,)`."""
    allowed = np.flatnonzero(_may_be_tried(contest, greedy, rules))
    found = np.zeros(len(contest.prices))
    found[allowed] = mix(worth[allowed])
    return found


def _may_be_tried(contest: Contest, greedy: int, rules: SelectionRules) -> NDArray[np.bool_]:
    """Candidates within `max_try_frac` of the greedy choice and the spread allowed; always the greedy choice."""
    prices = np.asarray(contest.prices, np.float64)
    allowed = np.ones(len(prices), bool)
    if rules.max_try_frac is not None:
        allowed &= np.abs(prices - prices[greedy]) <= rules.max_try_frac * prices[greedy]
    if rules.max_spread_frac is not None and contest.shown is not None:
        most = rules.max_spread_frac * prices[contest.reference]
        allowed &= _spread_with(contest.shown, prices) <= most + 1e-9
    allowed[greedy] = True
    return allowed


def _spread_with(shown: Shown, prices: Floats) -> Floats:
    """Standard deviation of all prices shown to a shopper once each of `prices` `(m,)` is added, `(m,)`."""
    n = shown.count + 1
    mean = (shown.count * shown.mean + prices) / n
    square = (shown.count * shown.mean_square + prices**2) / n
    return np.asarray(np.sqrt(np.maximum(0.0, square - mean**2)))
