"""Satisfaction: the probability, given that the shopper buys at this price, that they are content with it.

A product of factors, one for each kind of report that a shop's sales have (kept or returned, rated if kept), each

    sigmoid(level + effects of category and product - slope x),   x = log(price / reference), slope > 0

so that no draw finds a dearer price more content. Without any report there is one factor, the prior. Level and the
logarithm of the slope are jointly Gaussian; effects are independent of both and of one another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.monotone import N_DRAWS, sigmoid

LEVEL: Final = (2.0, 1.0)
"""Prior mean and sd of the logit at the reference price: 88 % content, with 90 % between 59 and 97 %."""
SLOPE: Final = (0.6, 0.7)
"""Prior median of the slope, and sd of its logarithm: at a price 10 % higher 0.6 % fewer are content."""
_DRAWS_SEED: Final = 41
_EFFECT_SEED: Final = 43
_PREFIX: Final = "satisfied."
_NAMES: Final = ".names"


class SatisfactionSource(StrEnum):
    """Source of what is known of satisfaction."""

    PRIOR = "prior"
    """Nothing was reported: a stated guess."""
    DEMO_STORE = "demo_store"
    """Repurchases in the demo store."""
    OWN_OUTCOMES = "own_outcomes"
    """Returns, ratings or repurchases that the shop reported."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Posterior of one factor.

    Attributes:
        mean: Level and logarithm of the slope, `(2,)`, with `covariance` `(2, 2)`.
        effects: Mean and variance by `product=ID` and `product.category=word` in lower case.
        unseen: Variances of the effects of a product and of a category without reports.
    """

    mean: Floats
    covariance: Floats
    effects: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    unseen: tuple[float, float] = (0.0, 0.0)

    def effect(self, product: str, category: str) -> tuple[float, float]:
        """Mean and variance of the effects of a product and its category."""
        own = self.effects.get(f"product={product}", (0.0, self.unseen[0]))
        shared = self.effects.get(f"product.category={category.lower()}", (0.0, self.unseen[1]))
        return own[0] + shared[0], own[1] + shared[1]

    def probability(self, log_ratio: Floats, effect: Floats) -> Floats:
        """Posterior mode `(n, m)` at prices `(n, m)`; `effect` `(n, 2)` as of `effect`."""
        return sigmoid(self.mean[0] + effect[:, :1] - np.exp(self.mean[1]) * log_ratio)

    def drawn(self, log_ratio: Floats, effect: Floats, spread: Floats | float) -> Floats:
        """Draws `(n, m, N_DRAWS)`; `spread` is added to their logits."""
        values, vectors = np.linalg.eigh(self.covariance)
        level, slope = self.mean[:, None] + (vectors * np.sqrt(np.clip(values, 0.0, None))) @ _draws(2, _DRAWS_SEED)
        noise = np.sqrt(effect[:, 1:]) * _draws(1, _EFFECT_SEED)
        shift = effect[:, :1] + noise  # (n, draws)
        logits = (level + shift)[:, None] - log_ratio[:, :, None] * np.exp(slope)
        return sigmoid(logits + spread)


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """Factors whose product is the probability of being content."""

    factors: tuple[Factor, ...]

    def effects_of(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Mean and variance of effects by factor, of pairs of product and category, `(n, factors, 2)`."""
        found = [[one.effect(product, category) for one in self.factors] for product, category in pairs]
        return np.asarray(found, np.float64).reshape(-1, len(self.factors), 2)

    def probability(self, log_ratio: Floats, effects: Floats | None) -> Floats:
        """Posterior mode `(n, m)` at prices `(n, m)`; `effects` as of `effects_of`, None for unseen products."""
        effects = self._known(log_ratio, effects)
        parts = [one.probability(log_ratio, effects[:, k]) for k, one in enumerate(self.factors)]
        return np.asarray(np.prod(parts, axis=0))

    def drawn(self, log_ratio: Floats, effects: Floats | None, spread: Floats | float = 0.0) -> Floats:
        """Draws of it, `(n, m, N_DRAWS)`; `spread` is added to the logits of each factor."""
        effects = self._known(log_ratio, effects)
        parts = [one.drawn(log_ratio, effects[:, k], spread) for k, one in enumerate(self.factors)]
        return np.asarray(np.prod(parts, axis=0))

    def _known(self, log_ratio: Floats, effects: Floats | None) -> Floats:
        if effects is not None:
            return effects
        unseen = np.asarray([[(0.0, sum(one.unseen)) for one in self.factors]], np.float64)
        return np.repeat(unseen, len(log_ratio), axis=0)

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Tensors for the evaluator's file; names are stored as bytes."""
        tensors: dict[str, NDArray[np.float32]] = {}
        for k, one in enumerate(self.factors):
            names = np.frombuffer("\n".join(one.effects).encode(), np.uint8)
            parts = {
                "mean": one.mean,
                "covariance": one.covariance,
                "unseen": np.asarray(one.unseen),
                "effects": np.asarray(list(one.effects.values()), np.float64).reshape(-1, 2),
                "names": names,
            }
            tensors |= {f"{_PREFIX}{k}.{name}": np.asarray(part, np.float32) for name, part in parts.items()}
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> "Satisfaction | None":
        """Read tensors of the evaluator's file; None when it holds none.

        Raises:
            KeyError: A tensor is missing.
        """
        factors: list[Factor] = []
        while f"{_PREFIX}{len(factors)}.mean" in tensors:
            own = f"{_PREFIX}{len(factors)}."
            text = tensors[f"{own}names"].astype(np.uint8).tobytes().decode()
            pairs = [(float(mean), float(variance)) for mean, variance in tensors[f"{own}effects"].tolist()]
            effects = dict(zip(text.split("\n") if text else [], pairs, strict=True))
            product, category = tensors[f"{own}unseen"].tolist()
            factors.append(Factor(tensors[f"{own}mean"], tensors[f"{own}covariance"], effects, (product, category)))
        return cls(tuple(factors)) if factors else None


def prior_factor(count: int = 1) -> Factor:
    """Prior of one of `count` factors, whose product is content at the reference as often as the prior of one alone."""
    alone = sigmoid(np.asarray(LEVEL[0])) ** (1.0 / count)
    mean = np.asarray([np.log(alone / (1.0 - alone)), np.log(SLOPE[0])])
    return Factor(mean, np.diag([LEVEL[1] ** 2, SLOPE[1] ** 2]))


PRIOR: Final = Satisfaction((prior_factor(),))
"""Satisfaction where nothing was reported."""


def with_slope_of(factor: Factor) -> Satisfaction:
    """The prior with the slope of a factor alone: how many are content stays unknown."""
    prior = prior_factor()
    mean, covariance = prior.mean.copy(), prior.covariance.copy()
    mean[1], covariance[1, 1] = factor.mean[1], factor.covariance[1, 1]
    return Satisfaction((replace(prior, mean=mean, covariance=covariance),))


@cache
def _draws(count: int, seed: int) -> Floats:
    """Antithetic standard normal draws, `(count, N_DRAWS)`."""
    half = np.random.default_rng(seed).standard_normal((count, N_DRAWS // 2))
    return np.concatenate([half, -half], axis=1)
