"""Evaluation of candidate versions on a log: whether they earn more than the best non-personalised price.

The best non-personalised price is one ratio of the reference price. It is chosen by cross-fitting (on other shoppers
than those it is evaluated on) among the ratios supported by the log; holding the reference is always among them.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eval.off_policy.demand import folds
from eval.off_policy.diagnostics import Diagnostics, diagnose
from eval.off_policy.estimators import Estimator, OffPolicyEvaluator
from eval.off_policy.intervals import Estimate, Terms, bootstrap
from eval.off_policy.replay import RATIOS, Replayed
from eval.off_policy.sample import Integers, Sample, Target
from eval.off_policy.weights import BANDWIDTHS, kernel_weights
from models.arrays import Floats
from models.evaluator.lesson import Lesson

MIN_DECISIONS: Final = 200
MIN_EFFECTIVE: Final = 100.0
MIN_SUPPORT: Final = 0.9
MEAN_WEIGHT: Final = (0.7, 1.3)

_FOLDS: Final = 2
_TERMS: Final = 20  # largest number of effect terms among the reward model's inputs
_ROWS_PER_TERM: Final = 100


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Estimates for one policy; profits are per decision, in minor units.

    Attributes:
        doubly_robust: Kernel DR, on which the verdict is based. `snips`: kernel SNIPS. `direct`: the reward model.
        exact: SNIPS over decisions that showed the policy's price, nan if there are none.
        price_ratio: Mean price over the reference.
        above_reference: Share of prices above the reference.
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
    """Whether a candidate may be promoted.

    Attributes:
        gain: Profit of the candidate minus that of the best non-personalised price, minor units per decision.
        reasons: Reasons against promotion, empty if it may be promoted.
    """

    gain: Estimate
    reasons: tuple[str, ...]

    @property
    def promotes(self) -> bool:
        """Whether there are no reasons against promotion."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class CandidateEvaluation:
    """Estimates of all policies, and the verdict.

    Attributes:
        logged: Profit of the logging policy.
        ratios: Ratios of the best non-personalised price, by fold.
        personalised: Share of decisions in which the candidate's price differs from the reference.
    """

    logged: Estimate
    policies: tuple[PolicyValue, ...]
    ratios: tuple[float, ...]
    personalised: float
    verdict: Verdict


def evaluate_candidate(replayed: Replayed, name: str) -> CandidateEvaluation:
    """Evaluate a candidate; `replayed` must have at least `MIN_DECISIONS` decisions, purchases and declines."""
    sample = to_sample(replayed)
    reference = np.asarray([quote.decision.reference_minor for quote in replayed.quotes], np.float64)
    evaluator = OffPolicyEvaluator.of(sample)
    candidate = Target.of(name, replayed.price / reference)
    fixed = [Target.of(f"{r:g} x reference", replayed.fixed[:, i] / reference) for i, r in enumerate(RATIOS)]
    hold = Target.of("hold the reference", np.ones(len(sample)))
    ratios, best = _best_for_everyone(evaluator, [hold, *fixed])
    policies = tuple(_value(evaluator, target) for target in (candidate, best, hold))
    own, rival = (evaluator.terms(target, Estimator.KERNEL_DR) for target in (candidate, best))
    gain = bootstrap(own, sample.cluster, less=rival)
    logged = bootstrap(_earned(sample), sample.cluster)
    return CandidateEvaluation(
        logged, policies, ratios, float(replayed.personalised.mean()), Verdict(gain, _reasons(gain, policies))
    )


def to_sample(replayed: Replayed) -> Sample:
    """Convert a replayed log to the estimators' sample."""
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
    """Possible prices with their probabilities; only the price shown if the decision was deterministic."""
    chances: defaultdict[int, float] = defaultdict(float)
    for price, chance in candidates:
        if chance > 0:
            chances[price] += chance
    if shown not in chances:
        return [(shown, 1.0)]
    return sorted(chances.items())


def _context(lessons: Sequence[Lesson]) -> Floats:
    """Inputs of the reward model: the evaluator's level and slope, and the most frequent effect terms."""
    limit = min(_TERMS, len(lessons) // _ROWS_PER_TERM)
    counts = Counter(term.name for lesson in lessons for term in lesson.terms)
    frequent = [name for name, count in counts.most_common() if _ROWS_PER_TERM <= count < len(lessons)][:limit]
    column_of = {name: column for column, name in enumerate(frequent, 2)}
    found = np.zeros((len(lessons), 2 + len(frequent)))
    for row, lesson in enumerate(lessons):
        found[row, :2] = lesson.level, lesson.slope
        for term in lesson.terms:
            if term.name in column_of:
                found[row, column_of[term.name]] = term.value
    return found


def _best_for_everyone(evaluator: OffPolicyEvaluator, targets: Sequence[Target]) -> tuple[tuple[float, ...], Target]:
    """Choose for each fold the target that is best on the other folds; the first target is always allowed."""
    known = [t for i, t in enumerate(targets) if i == 0 or _supported(evaluator.sample, t)]
    values = np.stack([evaluator.terms(target, Estimator.KERNEL_DR).numerator for target in known])
    fold: Integers = folds(evaluator.sample.cluster, _FOLDS, seed=1)
    price = np.empty(len(evaluator.sample))
    ratios = []
    for number in range(_FOLDS):
        here: NDArray[np.bool_] = fold == number
        winner = known[int(values[:, ~here].sum(axis=1).argmax())]
        price[here] = winner.price[here, 0]
        ratios.append(float(np.median(winner.price[here, 0])) if here.any() else 1.0)
    return tuple(ratios), Target.of("best price for everyone", price)


def _supported(sample: Sample, target: Target) -> bool:
    weights = kernel_weights(sample, target, BANDWIDTHS[1])
    return float(weights.supported.mean()) >= MIN_SUPPORT


def _value(evaluator: OffPolicyEvaluator, target: Target) -> PolicyValue:
    sample, bandwidth = evaluator.sample, evaluator.choose_bandwidth(target)

    def interval(estimator: Estimator) -> Estimate:
        return bootstrap(evaluator.terms(target, estimator, bandwidth), sample.cluster)

    return PolicyValue(
        name=target.name,
        doubly_robust=interval(Estimator.KERNEL_DR),
        snips=interval(Estimator.KERNEL_SNIPS),
        exact=interval(Estimator.SNIPS),
        direct=evaluator.terms(target, Estimator.DM).value,
        bandwidth=bandwidth,
        diagnostics=diagnose(sample, target, kernel_weights(sample, target, bandwidth)),
        price_ratio=float((target.chance * target.price).sum(axis=1).mean()),
        above_reference=float((target.chance * (target.price > 1 + 1e-9)).sum(axis=1).mean()),
    )


def _reasons(gain: Estimate, policies: Sequence[PolicyValue]) -> tuple[str, ...]:
    """Reasons against promoting the first policy, compared with the second."""
    found = []
    for policy in policies[:2]:
        facts = policy.diagnostics
        if facts.supported < MIN_SUPPORT:
            found.append(
                f"the log has prices near those of `{policy.name}` in {facts.supported:.0%} of its decisions; "
                f"needed: {MIN_SUPPORT:.0%}; remedy: exploration, or control_frac for the reference price"
            )
        if facts.effective < MIN_EFFECTIVE:
            found.append(
                f"`{policy.name}`: the effective sample size is {facts.effective:.0f}; needed: {MIN_EFFECTIVE:.0f}; "
                "remedy: a longer log, or wider exploration"
            )
        low, high = MEAN_WEIGHT
        if facts.supported >= MIN_SUPPORT and not low <= facts.mean_weight <= high:
            found.append(
                f"`{policy.name}`: the mean importance weight is {facts.mean_weight:.2f}; needed: {low} to {high}; the "
                "logged propensities are not those of the prices shown"
            )
    if not gain.low > 0:
        found.append(
            f"its gain over the best price for everyone may be nothing: {gain.value:+.2f} minor units per decision, "
            f"95 % interval {gain.low:+.2f} to {gain.high:+.2f}"
        )
    return tuple(found)


def _earned(sample: Sample) -> Terms:
    return Terms(sample.margin(sample.shown) * sample.bought, np.ones(len(sample)))
