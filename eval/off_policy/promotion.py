"""The verdict on candidate versions: whether they would have earned more than the best price for everyone.

The best price for everyone is one ratio of the reference price, chosen on other shoppers than it is judged on, among
those that the log can judge at all; holding the reference is always one of them.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eval.off_policy.demand import folds
from eval.off_policy.diagnostics import Diagnostics, diagnose
from eval.off_policy.estimators import Estimator, Judge
from eval.off_policy.intervals import Estimate, Terms, bootstrap
from eval.off_policy.replay import RATIOS, Replayed
from eval.off_policy.sample import Integers, Sample, Target
from eval.off_policy.weights import BANDWIDTHS, kernel_weights
from models.arrays import Floats
from models.evaluator.lesson import Lesson

LEAST_DECISIONS: Final = 200
LEAST_EFFECTIVE: Final = 100.0
LEAST_SUPPORT: Final = 0.9
MEAN_WEIGHT: Final = (0.7, 1.3)

_FOLDS: Final = 2
_TERMS: Final = 20  # of a situation, at most, that the reward model reads
_ROWS_A_TERM: Final = 100


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """One policy judged on the log. Profits are of a decision, in minor units.

    Attributes:
        doubly_robust: Kernel DR, what the verdict rests on; `snips` is kernel SNIPS, `direct` the reward model alone.
        exact: SNIPS over decisions that showed the very price; not a number where there are none.
        price_ratio: Mean price over the reference.
        above_reference: Share of prices above it.
    """

    name: str
    doubly_robust: Estimate
    snips: Estimate
    exact: Estimate
    direct: float
    bandwidth: float
    diagnostics: Diagnostics
    price_ratio: float
    above_reference: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may go live.

    Attributes:
        gain: Profit of the candidate less that of the best price for everyone, minor units a decision.
        reasons: Why not; empty when it may.
    """

    gain: Estimate
    reasons: tuple[str, ...]

    @property
    def promotes(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Judgement:
    """All policies and the verdict.

    Attributes:
        logged: What the log itself earned.
        ratios: The ratios that the best price for everyone took, by fold.
        personalised: Share of decisions in which the candidate leaves the reference price.
    """

    logged: Estimate
    policies: tuple[PolicyValue, ...]
    ratios: tuple[float, ...]
    personalised: float
    verdict: Verdict


def judge(replayed: Replayed, name: str) -> Judgement:
    """Judge a candidate; `replayed` must hold at least `LEAST_DECISIONS`, of which some were bought."""
    sample = to_sample(replayed)
    reference = np.asarray([quote.decision.reference_minor for quote in replayed.quotes], np.float64)
    judged = Judge.of(sample)
    candidate = Target.of(name, replayed.price / reference)
    fixed = [Target.of(f"{r:g} x reference", replayed.fixed[:, i] / reference) for i, r in enumerate(RATIOS)]
    hold = Target.of("hold the reference", np.ones(len(sample)))
    ratios, best = _best_for_everyone(judged, [hold, *fixed])
    policies = tuple(_value(judged, target) for target in (candidate, best, hold))
    own, rival = (judged.terms(target, Estimator.KERNEL_DR) for target in (candidate, best))
    gain = bootstrap(own, sample.cluster, less=rival)
    logged = bootstrap(_earned(sample), sample.cluster)
    return Judgement(
        logged, policies, ratios, float(replayed.personalised.mean()), Verdict(gain, _reasons(gain, policies))
    )


def to_sample(replayed: Replayed) -> Sample:
    """The log as estimators read it."""
    decisions = [quote.decision for quote in replayed.quotes]
    supports = [_support(d.price_minor, [(c.price_minor, c.probability) for c in d.candidates]) for d in decisions]
    width = max(map(len, supports))
    reference = np.asarray([d.reference_minor for d in decisions], np.float64)
    support = np.asarray([[p for p, _ in s] + [s[0][0]] * (width - len(s)) for s in supports], np.float64)
    chance = np.asarray([[c for _, c in s] + [0.0] * (width - len(s)) for s in supports], np.float64)
    shoppers = {d.shopper_id: number for number, d in enumerate(decisions) if d.shopper_id is not None}
    strangers = len(decisions)
    return Sample(
        support=support / reference[:, None],
        chance=chance,
        shown=np.asarray([d.price_minor for d in decisions], np.float64) / reference,
        propensity=np.asarray([d.propensity for d in decisions], np.float64),
        bought=np.asarray([quote.bought for quote in replayed.quotes], np.float64),
        cost=replayed.unit_cost / reference,
        worth=reference * np.asarray([d.quantity for d in decisions], np.float64),
        context=_context(replayed.lessons),
        cluster=np.asarray(
            [strangers + row if d.shopper_id is None else shoppers[d.shopper_id] for row, d in enumerate(decisions)]
        ),
    )


def _support(shown: int, candidates: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Prices that might have been shown with their chances; the shown one alone where nothing was left to chance."""
    chances: defaultdict[int, float] = defaultdict(float)
    for price, chance in candidates:
        if chance > 0:
            chances[price] += chance
    if shown not in chances:
        return [(shown, 1.0)]
    return sorted(chances.items())


def _context(lessons: Sequence[Lesson]) -> Floats:
    """What the evaluator said of each situation, and the traits that most situations share."""
    limit = min(_TERMS, len(lessons) // _ROWS_A_TERM)
    counts = Counter(term.name for lesson in lessons for term in lesson.terms)
    often = [name for name, count in counts.most_common() if _ROWS_A_TERM <= count < len(lessons)][:limit]
    place = {name: column for column, name in enumerate(often, 2)}
    found = np.zeros((len(lessons), 2 + len(often)))
    for row, lesson in enumerate(lessons):
        found[row, :2] = lesson.level, lesson.slope
        for term in lesson.terms:
            if term.name in place:
                found[row, place[term.name]] = term.value
    return found


def _best_for_everyone(judged: Judge, targets: Sequence[Target]) -> tuple[tuple[float, ...], Target]:
    """The best of `targets` (the first is always allowed), for each fold the one that is best on the others."""
    known = [t for i, t in enumerate(targets) if i == 0 or _supported(judged.sample, t)]
    values = np.stack([judged.terms(target, Estimator.KERNEL_DR).above for target in known])
    fold: Integers = folds(judged.sample.cluster, _FOLDS, seed=1)
    price = np.empty(len(judged.sample))
    ratios = []
    for number in range(_FOLDS):
        here: NDArray[np.bool_] = fold == number
        winner = known[int(values[:, ~here].sum(axis=1).argmax())]
        price[here] = winner.price[here, 0]
        ratios.append(float(np.median(winner.price[here, 0])) if here.any() else 1.0)
    return tuple(ratios), Target.of("best price for everyone", price)


def _supported(sample: Sample, target: Target) -> bool:
    weights = kernel_weights(sample, target, BANDWIDTHS[1])
    return float(weights.supported.mean()) >= LEAST_SUPPORT


def _value(judged: Judge, target: Target) -> PolicyValue:
    sample, bandwidth = judged.sample, judged.choose_bandwidth(target)

    def interval(estimator: Estimator) -> Estimate:
        return bootstrap(judged.terms(target, estimator, bandwidth), sample.cluster)

    return PolicyValue(
        name=target.name,
        doubly_robust=interval(Estimator.KERNEL_DR),
        snips=interval(Estimator.KERNEL_SNIPS),
        exact=interval(Estimator.SNIPS),
        direct=judged.terms(target, Estimator.DM).value,
        bandwidth=bandwidth,
        diagnostics=diagnose(sample, target, kernel_weights(sample, target, bandwidth)),
        price_ratio=float((target.chance * target.price).sum(axis=1).mean()),
        above_reference=float((target.chance * (target.price > 1 + 1e-9)).sum(axis=1).mean()),
    )


def _reasons(gain: Estimate, policies: Sequence[PolicyValue]) -> tuple[str, ...]:
    """What speaks against the first of the policies, measured against the second."""
    found = []
    for policy in policies[:2]:
        facts = policy.diagnostics
        if facts.supported < LEAST_SUPPORT:
            found.append(
                f"the log holds prices near those of `{policy.name}` in {facts.supported:.0%} of its decisions; "
                f"needed: {LEAST_SUPPORT:.0%}; remedy: exploration, or control_frac for the reference price"
            )
        if facts.effective < LEAST_EFFECTIVE:
            found.append(
                f"`{policy.name}`: {facts.effective:.0f} effective decisions; needed: {LEAST_EFFECTIVE:.0f}; "
                "remedy: a longer log, or wider exploration"
            )
        low, high = MEAN_WEIGHT
        if facts.supported >= LEAST_SUPPORT and not low <= facts.mean_weight <= high:
            found.append(
                f"`{policy.name}`: weights average {facts.mean_weight:.2f}, not 1: the logged propensities do not fit"
            )
    if not gain.low > 0:
        found.append(
            f"its gain over the best price for everyone may be nothing: {gain.value:+.2f} minor units a decision, "
            f"95 % interval {gain.low:+.2f} to {gain.high:+.2f}"
        )
    return tuple(found)


def _earned(sample: Sample) -> Terms:
    return Terms(sample.margin(sample.shown) * sample.bought, np.ones(len(sample)))
