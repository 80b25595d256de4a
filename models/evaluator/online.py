"""What outcomes teach on the spot: effects on the evaluator's last layer, with a posterior of their own.

Level and price slope of the purchase logit are shifted by sums of effects,

    logit(x) = level + sum_j v_j a_j + (SLOPE_MIN + softplus(slope + sum_j v_j b_j)) * (-x) + rest

where x = log(price / reference) and j runs over what a situation has in common with others (its product, its category,
a profile field, ...) and `v_j` is 1 or a number. The logit still falls in price for any effects. The (a_j, b_j) are
Gaussian; an outcome moves them by one step of assumed-density filtering: the one-dimensional maximum a posteriori along
the gradient, then a rank-one cut of the covariance (Laplace; Opper 1998). The draws that exploration and intervals use
follow by perturbed observations (Matheron's rule), hence stay draws of the posterior without a decomposition.

Effects of things that come in thousands (products) are kept apart, each independent of all others, as in adPredictor
(Graepel et al. 2010); the rest has one joint covariance, or terms that always come together would each learn alone
what they know together.

The state is a function of the outcomes in their order and of nothing else: a replay gives the same numbers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluator.lesson import Lesson, Term
from models.evaluator.monotone import N_DRAWS, SLOPE_MIN, scalar_sigmoid
from models.evaluator.online_state import Drift, Joint, Single

_NEWTON_STEPS: Final = 25


@dataclass(frozen=True, slots=True)
class Shift:
    """What effects add to level and slope: means `(n,)`, draws `(n, N_DRAWS)`."""

    level: Floats
    slope: Floats
    level_draws: Floats
    slope_draws: Floats


@dataclass(frozen=True, slots=True)
class _Design:
    """The logit's gradient in the effects that a lesson touches, in units of their prior sd; the logit itself."""

    logit: float
    rows: list[int]
    joint: Floats  # (2 * rows,)
    singles: list[tuple[str, float, float]]


@dataclass(slots=True)
class OnlineEffects:
    """All effects learned so far. One writer at a time."""

    joint: Joint = field(default_factory=Joint)
    singles: dict[str, Single] = field(default_factory=dict)
    drift: Drift = field(default_factory=Drift)
    lessons: int = 0

    def learn(self, lesson: Lesson, bought: bool) -> None:
        """Take one outcome in."""
        design = self._design(lesson)
        gain = self.joint.gain(design.rows, design.joint)  # (2 * n_terms,), covariance times gradient
        spread = float(design.joint @ gain[columns(design.rows)]) + sum(
            self.singles[name].quadratic(a, b) for name, a, b in design.singles
        )
        residual = float(bought) - scalar_sigmoid(design.logit + _map_shift(design.logit, spread, bought))
        at = scalar_sigmoid(design.logit + spread * residual)
        curvature = max(1e-9, at * (1.0 - at))
        cut = curvature / (1.0 + curvature * spread)
        self.joint.step(gain, residual, cut)
        self.joint.follow(design.rows, design.joint, gain, (spread, residual, curvature, self.lessons))
        for name, a, b in design.singles:
            self.singles[name] = self.singles[name].moved(a, b, residual, cut)
        before = scalar_sigmoid(design.logit)
        drift = self.drift.after((float(bought) - before) / math.sqrt(max(1e-6, before * (1.0 - before))))
        if drift.alarms > self.drift.alarms:
            self.joint.widen(drift.alarms)
            self.singles = {name: single.widened() for name, single in self.singles.items()}
        self.drift = drift
        self.lessons += 1

    def relabel(self, lesson: Lesson, bought: bool) -> None:
        """A label learned before was wrong (a purchase returned); a logistic's curvature does not depend on it."""
        design = self._design(lesson)
        sign = 1.0 if bought else -1.0
        self.joint.move(self.joint.gain(design.rows, design.joint), sign)
        for name, a, b in design.singles:
            self.singles[name] = self.singles[name].moved(a, b, sign, 0.0)

    def shift(self, situations: Sequence[Sequence[Term]], *, unseen: bool) -> Shift:
        """What the effects add in each situation.

        Effects never learned enter the draws by their prior: those kept alone always, the others with `unseen`.
        """
        n = len(situations)
        level, slope = np.zeros(n), np.zeros(n)
        level_draws, slope_draws = np.zeros((n, N_DRAWS)), np.zeros((n, N_DRAWS))
        for row, terms in enumerate(situations):
            known = [(self.joint.rows[term.name], term) for term in terms if term.name in self.joint.rows]
            if known:
                rows = [place for place, _ in known]
                a = np.asarray([term.value * term.level_sd for _, term in known])
                b = np.asarray([term.value * term.slope_sd for _, term in known])
                level[row], slope[row] = a @ self.joint.mean[rows, 0], b @ self.joint.mean[rows, 1]
                level_draws[row] = a @ self.joint.draws[rows, 0]
                slope_draws[row] = b @ self.joint.draws[rows, 1]
            for term in terms:
                if term.name in self.joint.rows:
                    continue
                single = self.singles.get(term.name, _NEW if unseen or term.alone else None)
                if single is None:
                    continue
                a_, b_ = term.value * term.level_sd, term.value * term.slope_sd
                level[row] += a_ * single.level
                slope[row] += b_ * single.slope
                drawn = single.drawn(term.name)
                level_draws[row] += a_ * drawn[0]
                slope_draws[row] += b_ * drawn[1]
        return Shift(level, slope, level_draws, slope_draws)

    def copy(self) -> "OnlineEffects":
        """The same state, to learn on from."""
        return OnlineEffects.from_arrays(self.names, self.to_arrays())

    @property
    def names(self) -> list[str]:
        """All effects: the joint ones in their order, then the others."""
        return [*self.joint.rows, *self.singles]

    def to_arrays(self) -> Mapping[str, Floats]:
        """The whole state but for `names`."""
        counters = [self.drift.up, self.drift.down, self.drift.alarms, self.lessons, len(self.joint.rows)]
        singles = np.asarray([single.numbers for single in self.singles.values()], np.float64).reshape(-1, 5)
        return {**self.joint.to_arrays(), "singles": singles, "counters": np.asarray(counters, np.float64)}

    @classmethod
    def from_arrays(cls, names: Sequence[str], arrays: Mapping[str, Floats]) -> "OnlineEffects":
        """What `to_arrays` and `names` gave."""
        up, down, alarms, lessons, n_joint = arrays["counters"].tolist()
        joint = Joint.from_arrays(names[: int(n_joint)], arrays)
        rows = zip(names[int(n_joint) :], arrays["singles"].tolist(), strict=True)
        return cls(joint, {name: Single(*row) for name, row in rows}, Drift(up, down, int(alarms)), int(lessons))

    def _design(self, lesson: Lesson) -> _Design:
        """Make room for new effects and linearise at the mean."""
        joint, singles = [], []
        for term in lesson.terms:
            row = None if term.alone else self.joint.row(term.name)
            if row is None:
                singles.append(term)
                self.singles.setdefault(term.name, _NEW)
            else:
                joint.append((row, term))
        level, slope = lesson.level, lesson.slope
        for row, term in joint:
            level += term.value * term.level_sd * float(self.joint.mean[row, 0])
            slope += term.value * term.slope_sd * float(self.joint.mean[row, 1])
        for term in singles:
            level += term.value * term.level_sd * self.singles[term.name].level
            slope += term.value * term.slope_sd * self.singles[term.name].slope
        steep = -scalar_sigmoid(slope) * lesson.log_ratio
        gradient = [(term.value * term.level_sd, term.value * term.slope_sd * steep) for _, term in joint]
        return _Design(
            logit=level - (SLOPE_MIN + _softplus(slope)) * lesson.log_ratio + lesson.rest,
            rows=[row for row, _ in joint],
            joint=np.asarray(gradient, np.float64).reshape(-1),
            singles=[(t.name, t.value * t.level_sd, t.value * t.slope_sd * steep) for t in singles],
        )


_NEW: Final = Single()


def columns(rows: Sequence[int]) -> list[int]:
    """Where levels and slopes of rows stand in the joint covariance."""
    return [place for row in rows for place in (2 * row, 2 * row + 1)]


def _map_shift(eta: float, spread: float, bought: bool) -> float:
    """The d that maximises log p(label | eta + d) - d^2 / (2 spread): d = spread * (label - sigmoid(eta + d))."""
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
