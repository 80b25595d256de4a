"""The choice of step 5: abstention, and exploration by Thompson sampling with exact propensities.

Utilities come as means `(m,)` and as posterior draws `(m, draws)`, the same draws for every candidate. Without
exploration the best mean wins, unless it does not beat the reference by `min_gain` or does so in too few draws
(abstention). With exploration a share of shoppers gets Thompson sampling (Thompson 1933) over the same draws: the
draws are finite, so that the probability of every final price is an exact count, not an estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.records import Shown
from agent.rules.exploration import Exploration, SelectionRules
from models.arrays import Floats

_THOMPSON_SHARE: Final = {Exploration.OFF: 0.0, Exploration.CAUTIOUS: 0.2, Exploration.NORMAL: 1.0}


@dataclass(frozen=True, slots=True)
class Contest:
    """Candidates of one request, as the bandit compares them.

    Attributes:
        reference: Index of the one that holds the reference price.
        shown: What this shopper was shown for this product before, None where that is nothing or not known.
    """

    prices: Sequence[int]
    mean: Floats
    draws: Floats
    reference: int
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice.

    Attributes:
        probabilities: `(m,)`, the chance of each candidate being chosen; candidates with one price share its mass.
        propensity: The chance that this final price was shown.
        confidence: Share of posterior draws that agree with the choice.
        abstained: A candidate looked better than the reference, but not surely enough.
        tried: Another than the best known candidate, shown to learn from it.
    """

    index: int
    probabilities: tuple[float, ...]
    propensity: float
    confidence: float
    abstained: bool
    tried: bool = False


def select(contest: Contest, rules: SelectionRules, rng: np.random.Generator) -> Selection:
    """Choose one candidate; `rng` is drawn from only when something is left to chance."""
    greedy, confidence, abstained = _greedy(contest, rules)
    probabilities = _chances(contest, greedy, rules)
    index = greedy
    if probabilities[greedy] < 1.0:
        index = int(rng.choice(len(probabilities), p=probabilities / probabilities.sum()))
    prices = np.asarray(contest.prices)
    propensity = float(probabilities[prices == prices[index]].sum())
    if index != greedy:
        confidence = float((contest.draws[index] >= contest.draws[contest.reference]).mean())
    return Selection(index, tuple(probabilities.tolist()), min(1.0, propensity), confidence, abstained, index != greedy)


def _chances(contest: Contest, greedy: int, rules: SelectionRules) -> Floats:
    """The probability of each candidate: the best one, those that exploration tries, the control group's reference."""
    share = _THOMPSON_SHARE[rules.exploration]
    chances = np.zeros(len(contest.prices))
    chances[greedy] = 1.0 - share
    if share > 0:
        winners = _winners(contest, greedy, rules)
        chances += share * np.bincount(winners, minlength=len(contest.prices)) / len(winners)
    chances *= 1.0 - rules.control_frac
    chances[contest.reference] += rules.control_frac
    return chances


def _greedy(contest: Contest, rules: SelectionRules) -> tuple[int, float, bool]:
    """Index of the best mean, or of the reference where it is not surely beaten; confidence; whether it abstained."""
    reference = contest.reference
    best = _argbest(contest, contest.mean)
    if contest.prices[best] == contest.prices[reference]:
        return reference, _sure_to_hold(contest, _runner_up(contest), rules), False
    better = float((contest.draws[best] > contest.draws[reference]).mean())
    gain = float(contest.mean[best] - contest.mean[reference])
    if gain >= rules.min_gain and better >= rules.min_confidence:
        return best, better, False
    return reference, _sure_to_hold(contest, best, rules), True


def _runner_up(contest: Contest) -> int | None:
    """The best candidate at another price than the reference's, None when there is none."""
    reference_price = contest.prices[contest.reference]
    others = [index for index, price in enumerate(contest.prices) if price != reference_price]
    return max(others, key=lambda index: (contest.mean[index], -index), default=None)


def _sure_to_hold(contest: Contest, rival: int | None, rules: SelectionRules) -> float:
    """Share of draws in which a candidate does not beat the reference by `min_gain`."""
    if rival is None:
        return 1.0
    return float((contest.draws[rival] <= contest.draws[contest.reference] + rules.min_gain).mean())


def _argbest(contest: Contest, utility: Floats) -> int:
    """Highest utility; ties go to the price nearest the reference, then to the first candidate."""
    reference_price = contest.prices[contest.reference]
    order = sorted(range(len(contest.prices)), key=lambda i: (-utility[i], abs(contest.prices[i] - reference_price), i))
    return order[0]


def _winners(contest: Contest, greedy: int, rules: SelectionRules) -> NDArray[np.intp]:
    """Index of the best allowed candidate of each draw, `(draws,)`; of equal prices, the first."""
    draws = contest.mean[:, None] + rules.boldness * (contest.draws - contest.mean[:, None])
    draws = np.where(_may_be_tried(contest, greedy, rules)[:, None], draws, -np.inf)
    enough = draws[greedy] >= draws.max(axis=0) - rules.good_enough
    return np.where(enough, greedy, draws.argmax(axis=0))


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
