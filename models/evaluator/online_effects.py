"""Online Bayesian updates of the evaluator's last layer.

Level and price slope of the purchase logit are shifted by sums of effects,

    logit(x) = level + sum_j v_j a_j + (SLOPE_MIN + softplus(slope + sum_j v_j b_j)) * (-x) + rest

where x = log(price / reference), j runs over attributes that situations share (product, category, profile fields, ...)
and `v_j` is 1 or a number. The logit decreases in price for any effects. The (a_j, b_j) have a Gaussian posterior. Each
outcome updates it by one step of assumed-density filtering: the one-dimensional maximum a posteriori along the
gradient, then a rank-one update of the covariance (Laplace; Opper 1998). Posterior draws, which exploration and
intervals use, are updated by perturbed observations (Matheron's rule), which needs no matrix decomposition.

Effects share one covariance: independent posteriors would count evidence twice for effects that always occur together.
Effects of high-cardinality attributes (products) do so while it has fewer than `PRODUCT_CAPACITY` rows; later ones have
independent posteriors, as in adPredictor (Graepel et al. 2010).

The state depends only on the outcomes and their order, so a replay reproduces it to the last bit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluator.cusum import Cusum
from models.evaluator.effect_posteriors import PRIOR, PRODUCT_CAPACITY, IndependentPosterior, JointPosterior
from models.evaluator.lesson import Lesson, Term
from models.evaluator.monotone import N_DRAWS, SLOPE_MIN, scalar_sigmoid
from models.evaluator.text_effects import TextEffects, text_terms

_NEWTON_STEPS: Final = 25


@dataclass(frozen=True, slots=True)
class Shift:
    """Sums of effects to add to level and slope: means `(n,)`, draws `(n, N_DRAWS)`."""

    level: Floats
    slope: Floats
    level_draws: Floats
    slope_draws: Floats


@dataclass(frozen=True, slots=True)
class _Design:
    """The logit of a lesson and its gradient with respect to the lesson's effects, in units of their prior sd."""

    logit: float
    rows: list[int]
    joint: Floats  # (2 * rows,)
    independent: list[tuple[str, float, float]]


@dataclass(slots=True)
class OnlineEffects:
    """Posterior of all effects; not safe for concurrent writers.

    Attributes:
        joint: Effects with one covariance.
        independent: Effects with posteriors of their own, by name.
        drift: Change detector on the standardised residuals.
        lessons: Number of outcomes learned.
    """

    joint: JointPosterior = field(default_factory=JointPosterior)
    independent: dict[str, IndependentPosterior] = field(default_factory=dict)
    drift: Cusum = field(default_factory=Cusum)
    lessons: int = 0

    def learn(self, lesson: Lesson, bought: bool) -> None:
        """Update the posterior with one outcome."""
        design = self._design(lesson)
        gain = self.joint.gain(design.rows, design.joint)  # (2 * n_terms,), covariance times gradient
        spread = float(design.joint @ gain[_positions(design.rows)]) + sum(
            self.independent[name].variance(a, b) for name, a, b in design.independent
        )
        residual = float(bought) - scalar_sigmoid(design.logit + _map_shift(design.logit, spread, bought))
        at = scalar_sigmoid(design.logit + spread * residual)
        curvature = max(1e-9, at * (1.0 - at))
        cut = curvature / (1.0 + curvature * spread)
        self.joint.update(gain, residual, cut)
        self.joint.update_draws(design.rows, design.joint, gain, (spread, residual, curvature, self.lessons))
        for name, a, b in design.independent:
            self.independent[name] = self.independent[name].updated(a, b, residual, cut)
        before = scalar_sigmoid(design.logit)
        drift = self.drift.after((float(bought) - before) / math.sqrt(max(1e-6, before * (1.0 - before))))
        if drift.alarms > self.drift.alarms:
            self.joint.widen(drift.alarms)
            self.independent = {name: posterior.widened() for name, posterior in self.independent.items()}
        self.drift = drift
        self.lessons += 1

    def relabel(self, lesson: Lesson, bought: bool) -> None:
        """Correct the label of an outcome already learned, for example after a return.

        Only means move: the curvature of the logistic loss does not depend on the label.
        """
        design = self._design(lesson)
        sign = 1.0 if bought else -1.0
        self.joint.shift_mean(self.joint.gain(design.rows, design.joint), sign)
        for name, a, b in design.independent:
            self.independent[name] = self.independent[name].updated(a, b, sign, 0.0)

    def shift(self, situations: Sequence[Sequence[Term]], text: TextEffects | None = None, *, unseen: bool) -> Shift:
        """Sum the effects of each situation; `text` are the text effects of the first ones, all others have none.

        Effects without outcomes enter the draws by their prior: independent ones always, others only with `unseen`.
        """
        n = len(situations)
        mean, draws = np.zeros((n, 2)), np.zeros((n, 2, N_DRAWS))
        effects: dict[str, int] = {}
        known: list[tuple[float, float, Floats]] = []  # mean level, mean slope and draws of each of `effects`
        shares: list[list[tuple[int, int, float, float]]] = []  # (row, effect, level, slope) of the rows' k-th effects
        for row, terms in enumerate(situations):
            place = 0
            for term in terms:
                effect = effects.get(term.name)
                if effect is None:
                    found = self._effect(term, unseen=unseen)
                    effect = effects[term.name] = len(known) if found is not None else -1
                    if found is not None:
                        known.append(found)
                if effect < 0:
                    continue
                if place == len(shares):
                    shares.append([])
                shares[place].append((row, effect, term.value * term.level_sd, term.value * term.slope_sd))
                place += 1
        means = np.asarray([one[:2] for one in known], np.float64).reshape(-1, 2)
        drawn = np.asarray([one[2] for one in known], np.float64).reshape(-1, 2, N_DRAWS)
        for one_each in shares:
            columns = np.asarray(one_each, np.float64)
            rows, which, weights = columns[:, 0].astype(np.intp), columns[:, 1].astype(np.intp), columns[:, 2:]
            mean[rows] += weights * means[which]
            draws[rows] += weights[:, :, None] * drawn[which]
        if text is not None and len(text.values):
            self._add_text(text, mean, draws, unseen=unseen)
        return Shift(mean[:, 0], mean[:, 1], draws[:, 0], draws[:, 1])

    def _add_text(self, text: TextEffects, mean: Floats, draws: Floats, *, unseen: bool) -> None:
        found = [self._effect(term, unseen=unseen) for term in text_terms(text.values[0].tolist(), text.sd)]
        known = [place for place, one in enumerate(found) if one is not None]
        if not known:
            return
        values, rows = text.values[:, known], len(text.values)
        for side, sd in enumerate(text.sd):
            means = np.asarray([one[side] for one in found if one is not None])
            drawn = np.asarray([one[2][side] for one in found if one is not None])
            mean[:rows, side] += sd * np.einsum("nk,k->n", values, means)  # a row's sum depends on no other row
            draws[:rows, side] += sd * np.einsum("nk,kd->nd", values, drawn)

    def _effect(self, term: Term, *, unseen: bool) -> tuple[float, float, Floats] | None:
        """Mean level, mean slope and draws `(2, N_DRAWS)` of an effect; None for one that does not enter."""
        row = self.joint.rows.get(term.name)
        if row is not None:
            return float(self.joint.mean[row, 0]), float(self.joint.mean[row, 1]), self.joint.draws[row]
        posterior = self.independent.get(term.name, PRIOR if unseen or term.independent else None)
        return None if posterior is None else (posterior.level, posterior.slope, posterior.draws(term.name))

    def copy(self) -> "OnlineEffects":
        """Copy the state; learning on the copy leaves this one unchanged."""
        return OnlineEffects.from_arrays(self.names, self.to_arrays())

    @property
    def names(self) -> list[str]:
        """Names of all effects: joint ones in row order, then independent ones."""
        return [*self.joint.rows, *self.independent]

    def to_arrays(self) -> Mapping[str, Floats]:
        """Export the state without `names`."""
        counters = [self.drift.up, self.drift.down, self.drift.alarms, self.lessons, len(self.joint.rows)]
        singles = np.asarray([one.numbers for one in self.independent.values()], np.float64).reshape(-1, 5)
        return {**self.joint.to_arrays(), "singles": singles, "counters": np.asarray(counters, np.float64)}

    @classmethod
    def from_arrays(cls, names: Sequence[str], arrays: Mapping[str, Floats]) -> "OnlineEffects":
        """Restore a state from `names` and `to_arrays`."""
        up, down, alarms, lessons, n_joint = arrays["counters"].tolist()
        joint = JointPosterior.from_arrays(names[: int(n_joint)], arrays)
        rows = zip(names[int(n_joint) :], arrays["singles"].tolist(), strict=True)
        independent = {name: IndependentPosterior(*row) for name, row in rows}
        return cls(joint, independent, Cusum(up, down, int(alarms)), int(lessons))

    def _joint_row(self, term: Term) -> int | None:
        """Row of an effect in the joint posterior, added if new; None for one with a posterior of its own."""
        if not term.independent:
            return self.joint.row(term.name)
        return None if term.name in self.independent else self.joint.row(term.name, PRODUCT_CAPACITY)

    def _design(self, lesson: Lesson) -> _Design:
        """Linearise the logit at the posterior mean, adding effects that are new."""
        joint, independent = [], []
        for term in (*lesson.terms, *text_terms(lesson.text, lesson.text_sd)):
            row = self._joint_row(term)
            if row is None:
                independent.append(term)
                self.independent.setdefault(term.name, PRIOR)
            else:
                joint.append((row, term))
        level, slope = lesson.level, lesson.slope
        for row, term in joint:
            level += term.value * term.level_sd * float(self.joint.mean[row, 0])
            slope += term.value * term.slope_sd * float(self.joint.mean[row, 1])
        for term in independent:
            level += term.value * term.level_sd * self.independent[term.name].level
            slope += term.value * term.slope_sd * self.independent[term.name].slope
        steep = -scalar_sigmoid(slope) * lesson.log_ratio  # derivative of the logit with respect to `slope`
        gradient = [(term.value * term.level_sd, term.value * term.slope_sd * steep) for _, term in joint]
        return _Design(
            logit=level - (SLOPE_MIN + _softplus(slope)) * lesson.log_ratio + lesson.rest,
            rows=[row for row, _ in joint],
            joint=np.asarray(gradient, np.float64).reshape(-1),
            independent=[(t.name, t.value * t.level_sd, t.value * t.slope_sd * steep) for t in independent],
        )


def _positions(rows: Sequence[int]) -> list[int]:
    """Positions of the levels and slopes of `rows` in the joint covariance."""
    return [position for row in rows for position in (2 * row, 2 * row + 1)]


def _map_shift(eta: float, spread: float, bought: bool) -> float:
    """Solve d = spread * (label - sigmoid(eta + d)), the maximiser of log p(label | eta + d) - d^2 / (2 spread)."""
    low, high = (0.0, spread) if bought else (-spread, 0.0)
    shift = 0.0
    for _ in range(_NEWTON_STEPS):
        p = scalar_sigmoid(eta + shift)
        gap = spread * (float(bought) - p) - shift
        if abs(gap) < 1e-12:
            break
        if gap > 0:
            low = shift
        else:
            high = shift
        newton = shift + gap / (1.0 + spread * p * (1.0 - p))
        shift = newton if low < newton < high else 0.5 * (low + high)
    return shift


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
