"""The evaluator: purchase probability and satisfaction at a price, `E(s) = g(W2.h_s + b2)` with g the sigmoid.

`h_s` concatenates encoder states of shopper and product, numeric features, retrieved outcomes, interest and affinity;
price enters only through the monotone heads (`monotone.py`), promotions through one effect of theirs (`promotion.py`).
A linear term beside the hidden layers is the model that few outcomes support; the layers add nonlinearity as data grow.
Inference uses numpy in float64, so that a score does not depend on the batch it is computed in.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.binning import Binning
from models.evaluator.boosted_trees import BoostedTrees
from models.evaluator.context_priors import CONTEXT, ContextPriors
from models.evaluator.evidence import EVIDENCE, memory_keys
from models.evaluator.monotone import SLOPE_MIN, MonotoneHead, sigmoid
from models.evaluator.online_effects import Shift
from models.evaluator.promotion import Flags, promotion_states
from models.evaluator.satisfaction import PRIOR, Satisfaction, SatisfactionSource
from models.evaluator.text_effects import TextEffects, TextProjection
from models.evaluator.trained_effects import TrainedEffects
from models.evaluator.tried_prices import TriedPrices
from models.shopper.features import FEATURES
from models.shopper.item_affinity import FLOOR

RANK: Final = 16
NOVELTY_SD: Final = 1.5
EXTRAPOLATED_SD: Final = 0.7
"""Standard deviation of the logarithm of the slope beyond the tried prices: a factor of two."""
OTHER_SHOP_LEVEL: Final = -1.5
"""Prior logit at the reference price in a shop that the evaluator was not trained on."""
OTHER_SHOP_SLOPE: Final = 1.47
"""Prior price slope there; the demo store's own says little of other shops, whose outcomes soon outweigh it."""
_NOVELTY_SEED: Final = 7
_CAUTION: Final = 1.0
_DOUBT_SEED: Final = 23
INTEREST: Final = len(FEATURES) + len(EVIDENCE)
"""Column of the interest logit among the numeric inputs; the log affinity follows."""
NUMERIC: Final = INTEREST + 2


@dataclass(frozen=True, slots=True)
class EvaluatorInputs:
    """A batch of situations; every array has `n` rows.

    Attributes:
        features: `(n, len(FEATURES))`.
        evidence: `(n, len(EVIDENCE))`.
        interest: `(n,)` interest logits. `affinity` `(n,)` log affinities (`models.shopper.item_affinity`).
        shopper, product: `(n, dim)` unit encoder states.
        familiarity: `(n,)` 0-1, similarity to the training products; below 1 widens the intervals.
        intent, trend: `(n,)`, inputs of the context priors.
        rival_log_ratio: `(n,)` log(competitor / reference), nan when no competitor price is known.
        promotion: `(n, 2)` flags of display and mailer (`promotion.py`), None when nothing is known.
        shift: Online effects learned since training, None when there are none.
        text: Text effects of the products, None where they do not enter; `shift` has their sums.
        tried: `(n, 2)`, `TriedRange` of each row; beyond it intervals widen. None where no range is known.
        satisfied: Effects on satisfaction (`Satisfaction.effects_of`), None where none are known.
        out_of_domain: The evaluator was trained on other shops: shopper and product then count as unknown and the
            logit is linear in log price; online learning supplies the rest.
    """

    features: NDArray[np.float32]
    evidence: NDArray[np.float32]
    interest: NDArray[np.float32]
    affinity: NDArray[np.float32]
    shopper: NDArray[np.float32]
    product: NDArray[np.float32]
    familiarity: NDArray[np.float32]
    intent: NDArray[np.float32]
    trend: NDArray[np.float32]
    rival_log_ratio: NDArray[np.float32]
    promotion: Flags | None = None
    shift: Shift | None = None
    text: TextEffects | None = None
    tried: Floats | None = None
    satisfied: Floats | None = None
    out_of_domain: bool = False

    @property
    def basis_size(self) -> int | None:
        """Number of price basis functions used, None for all; out of domain only the first, -log(price ratio)."""
        return 1 if self.out_of_domain else None


@dataclass(frozen=True, slots=True)
class Represented:
    """A batch of situations after the body: heads read `phi` `(n, d)`, whatever prices they are asked for."""

    phi: Floats
    inputs: EvaluatorInputs

    @property
    def novelty(self) -> Floats:
        """Standard deviation of the logit for what is unlike anything seen in training, `(n,)`."""
        return NOVELTY_SD * (1.0 - np.clip(self.inputs.familiarity.astype(np.float64), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Base:
    """Parts of the purchase logit without online effects, `(n,)` each; fields as in `online_effects.Lesson`."""

    level: Floats
    slope: Floats
    rest: Floats
    log_ratio: Floats


@dataclass(frozen=True, slots=True)
class Expected:
    """Posterior mean probabilities at prices, `(n, m)` each."""

    purchase: Floats
    satisfaction: Floats


@dataclass(frozen=True, slots=True)
class Response:
    """Probabilities at prices: mean `(n, m)` and posterior draws `(n, m, draws)`."""

    purchase: Floats
    purchase_draws: Floats
    satisfaction: Floats
    satisfaction_draws: Floats


@dataclass(frozen=True, slots=True)
class EvaluatorWeights:
    """Trained parameters of the evaluator; `in` is the binning's width + 2 * RANK + 1.

    The purchase head reads log ratios less `center`; `doubt` is the standard deviation of the logarithm of its slope
    for what training could not tell apart from the price; `text` maps product states to text effects; shoppers' states
    are an unknown one's without `behaviour`, as their texts told later outcomes no better. After a training on own
    outcomes `trees` stand in the place of the hidden layers. The satisfaction head is the demo store's; `satisfied`
    replaces it after a training on own outcomes, and the prior elsewhere.
    """

    binning: Binning
    shopper_projection: Floats  # (dim, RANK)
    product_projection: Floats  # (dim, RANK)
    linear: Floats  # (in,)
    hidden: tuple[tuple[Floats, Floats], ...]  # ((in, out), (out,)) a layer
    purchase: MonotoneHead
    satisfaction: MonotoneHead
    key_projection: Floats  # (dim, KEY_DIM)
    base_rate: float
    promotion: Floats | None = None  # (out + 2, len(STATES)); None where trained without promotions
    rival: float | None = None  # replaces `ContextPriors.rival` when trained on competitor prices
    intent: float | None = None  # `rival`, `intent` and `trend` are None where training rows told nothing of them
    trend: float | None = None
    effects: TrainedEffects | None = None  # starting point of online learning
    tried: TriedPrices | None = None
    center: float = 0.0
    doubt: float = 0.0
    text: TextProjection | None = None
    satisfied: Satisfaction | None = None
    behaviour: bool = True
    trees: BoostedTrees | None = None


class Evaluator:
    """Predicts purchase and satisfaction of situations at prices."""

    def __init__(self, weights: EvaluatorWeights, version: str, priors: ContextPriors | None = None) -> None:
        """Use `weights`; trained coefficients replace those of `priors`."""
        self._weights = weights
        self._learned_context = {name: value for name in CONTEXT if (value := getattr(weights, name)) is not None}
        self._priors = replace(priors or ContextPriors(), **self._learned_context)
        self.version = version
        phi = self.represent(_unknown(1, len(weights.shopper_projection))).phi
        before = np.log(np.expm1(OTHER_SHOP_SLOPE - SLOPE_MIN))
        self._other_shop = np.asarray([OTHER_SHOP_LEVEL, before]) - weights.purchase.terms(phi)[0, :2]

    @property
    def weights(self) -> EvaluatorWeights:
        """Trained parameters."""
        return self._weights

    @property
    def base_rate(self) -> float:
        """Purchase rate of the training rows; the prior rate of retrieved outcomes."""
        return self._weights.base_rate

    def memory_keys(self, items: NDArray[np.float32], product: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute keys of the outcome memory from item and product states `(n, dim)`, see `memory_keys`."""
        return memory_keys(items, product, self._weights.key_projection)

    def represent(self, inputs: EvaluatorInputs) -> Represented:
        """Compute the body output `phi` `(n, d)`: last hidden layer, promotion effect, linear term, 1 for the bias."""
        weights = self._weights
        situations = _unknown(*inputs.shopper.shape) if inputs.out_of_domain else inputs
        shopper = situations.shopper.astype(np.float64)
        product = situations.product.astype(np.float64)
        content = product @ weights.product_projection
        numeric = numeric_inputs(situations)
        columns = np.concatenate(
            [
                weights.binning.encode(numeric),
                (shopper @ weights.shopper_projection) * content,
                content,
                (shopper * product).sum(axis=1, keepdims=True),
            ],
            axis=1,
        )
        hidden = columns if weights.trees is None else weights.trees.logits(numeric)[:, None]
        for matrix, bias in weights.hidden:
            hidden = hidden @ matrix + bias
            hidden = hidden * sigmoid(hidden)  # SiLU
        ends = np.stack([columns @ weights.linear, np.ones(len(hidden))], axis=1)
        if weights.promotion is None:
            return Represented(np.concatenate([hidden, ends], axis=1), inputs)
        effect = np.zeros(len(hidden))
        if situations.promotion is not None:
            by_state = np.concatenate([hidden, ends], axis=1) @ weights.promotion
            effect = (by_state * promotion_states(situations.promotion)).sum(axis=1)
        return Represented(np.concatenate([hidden, effect[:, None], ends], axis=1), inputs)

    @property
    def caution(self) -> float:
        """Standard deviations of its gain by which a price must beat the reference.

        0 where the price response was learned from prices drawn at random.
        """
        return _CAUTION if self._weights.doubt else 0.0

    def expect(self, represented: Represented, log_ratio: Floats) -> Expected:
        """Compute mean probabilities at prices `log_ratio` `(n, m)`; cheaper than `respond`, for price searches."""
        phi, situations = represented.phi, represented.inputs
        shift = self._shift(situations, log_ratio)
        means, _ = self._learned(situations)
        effective = self._effective(situations, log_ratio)
        return Expected(
            purchase=sigmoid(self._weights.purchase.logits(phi, effective, means, situations.basis_size) + shift),
            satisfaction=self._satisfaction(represented, log_ratio),
        )

    def respond(self, represented: Represented, log_ratio: Floats) -> Response:
        """Compute mean and draws of both probabilities at prices `log_ratio` `(n, m)` = log(price / reference)."""
        phi, situations = represented.phi, represented.inputs
        purchase = self._weights.purchase
        shift = self._shift(situations, log_ratio)
        spread = represented.novelty[:, None, None] * _fixed_draws(purchase.draws.shape[0], _NOVELTY_SEED)
        means, draws = self._learned(situations)
        effective = self._effective(situations, log_ratio)
        drawn = purchase.drawn_logits(phi, effective, draws, situations.basis_size) + shift[:, :, None] + spread
        if situations.tried is not None or self._weights.doubt:
            slopes = purchase.drawn_slopes(phi, None if draws is None else draws[1])
            if self._weights.doubt:
                drawn += _scaled(effective, slopes, self._weights.doubt, _DOUBT_SEED)
            if situations.tried is not None:
                beyond = _beyond(effective + self._weights.center, situations.tried)
                drawn += _scaled(beyond, slopes, EXTRAPOLATED_SD, _NOVELTY_SEED)
        return Response(
            purchase=sigmoid(purchase.logits(phi, effective, means, situations.basis_size) + shift),
            purchase_draws=sigmoid(drawn),
            satisfaction=self._satisfaction(represented, log_ratio),
            satisfaction_draws=self._satisfaction_draws(represented, log_ratio, spread),
        )

    def satisfaction_source(self, *, out_of_domain: bool) -> SatisfactionSource:
        """Source of what is known of satisfaction, in the shop that it was trained on or out of it."""
        known = self._satisfied(out_of_domain)
        if known is None:
            return SatisfactionSource.DEMO_STORE
        return SatisfactionSource.PRIOR if known is PRIOR else SatisfactionSource.OWN_OUTCOMES

    def priors(self, *, out_of_domain: bool) -> tuple[str, ...]:
        """Names of what no training rows told anything of: coefficients of the context, and satisfaction."""
        prior = self.satisfaction_source(out_of_domain=out_of_domain) is SatisfactionSource.PRIOR
        return (*self._prior_context, *(("satisfaction",) if prior else ()))

    @property
    def _prior_context(self) -> tuple[str, ...]:
        return tuple(name for name in CONTEXT if name not in self._learned_context)

    def priors_used(self, situations: EvaluatorInputs) -> list[tuple[str, ...]]:
        """Names of the priors behind the scores of each situation: of what entered, that which was never learned."""
        entered = {
            "intent": situations.intent != 0,
            "trend": situations.trend != 0,
            "rival": ~np.isnan(situations.rival_log_ratio),
        }
        prior = self.satisfaction_source(out_of_domain=situations.out_of_domain) is SatisfactionSource.PRIOR
        last = ("satisfaction",) if prior else ()
        columns = [(name, entered[name].tolist()) for name in self._prior_context]
        return [(*(name for name, used in columns if used[row]), *last) for row in range(len(situations.features))]

    def _satisfied(self, out_of_domain: bool) -> Satisfaction | None:
        """Satisfaction by reports of sales, or the prior; None where the demo store's head does."""
        weights = self._weights
        if out_of_domain:
            return PRIOR
        return PRIOR if weights.satisfied is None and weights.effects is not None else weights.satisfied

    def _satisfaction(self, represented: Represented, log_ratio: Floats) -> Floats:
        situations = represented.inputs
        known = self._satisfied(situations.out_of_domain)
        if known is None:
            return sigmoid(self._weights.satisfaction.logits(represented.phi, log_ratio))
        return known.probability(log_ratio, None if known is PRIOR else situations.satisfied)

    def _satisfaction_draws(self, represented: Represented, log_ratio: Floats, spread: Floats) -> Floats:
        situations = represented.inputs
        known = self._satisfied(situations.out_of_domain)
        if known is None:
            return sigmoid(self._weights.satisfaction.drawn_logits(represented.phi, log_ratio) + spread)
        return known.drawn(log_ratio, None if known is PRIOR else situations.satisfied, spread)

    def base(self, represented: Represented, log_ratio: Floats) -> Base:
        """Compute the parts of the logit that online learning takes as given, at one price each, `log_ratio` `(n,)`."""
        phi, situations = represented.phi, represented.inputs
        head = self._weights.purchase
        terms = head.terms(phi)
        context = self._shift(situations, log_ratio[:, None])[:, 0]
        effective = self._effective(situations, log_ratio[:, None])[:, 0]
        if situations.out_of_domain:
            terms[:, :2] += self._other_shop
        rest = np.zeros(len(phi)) if situations.out_of_domain else head.rest(phi, effective)
        return Base(terms[:, 0], terms[:, 1], rest + context, effective)

    def _learned(
        self, situations: EvaluatorInputs
    ) -> tuple[tuple[Floats, Floats] | None, tuple[Floats, Floats] | None]:
        """Shifts of level and slope: means `(n,)` and draws `(n, N_DRAWS)`; None where there are none."""
        learned, (level, slope) = situations.shift, self._other_shop
        if not situations.out_of_domain:
            if learned is None:
                return None, None
            return (learned.level, learned.slope), (learned.level_draws, learned.slope_draws)
        n = len(situations.features)
        if learned is None:
            alone = np.full(n, level), np.full(n, slope)
            return alone, (alone[0][:, None], alone[1][:, None])
        means = learned.level + level, learned.slope + slope
        return means, (learned.level_draws + level, learned.slope_draws + slope)

    def _effective(self, situations: EvaluatorInputs, log_ratio: Floats) -> Floats:
        """Log ratios `(n, m)` less the center; below the tried prices a part of the response is expected."""
        known = self._weights.tried
        if known is not None and situations.tried is not None:
            log_ratio = known.effective(log_ratio, situations.tried)
        return log_ratio - self._weights.center

    def _shift(self, situations: EvaluatorInputs, log_ratio: Floats) -> Floats:
        priors = self._priors
        level = priors.intent * situations.intent + priors.trend * np.clip(situations.trend, -1.0, 1.0)
        above = np.maximum(0.0, log_ratio - np.nan_to_num(situations.rival_log_ratio, nan=np.inf)[:, None])
        return np.asarray(level[:, None] - priors.rival * above, np.float64)


def _beyond(log_ratio: Floats, tried: Floats) -> Floats:
    """Distance of log ratios `(n, m)` from the tried prices, signed."""
    return np.asarray(log_ratio - np.clip(log_ratio, tried[:, :1], tried[:, 1:]))


def _scaled(distance: Floats, slopes: Floats, sd: float, seed: int) -> Floats:
    """Change of drawn logits `(n, m, draws)` where `slopes` `(n, draws)` are known up to a log-normal factor."""
    factor = np.exp(sd * _fixed_draws(slopes.shape[1], seed)) - 1.0
    return np.asarray(-distance[:, :, None] * (slopes * factor)[:, None])


def _unknown(n: int, dim: int) -> EvaluatorInputs:
    """Situations of an unknown shopper and an unknown product, `n` rows."""
    zeros, states = np.zeros(n, np.float32), np.zeros((n, dim), np.float32)
    return EvaluatorInputs(
        features=np.zeros((n, len(FEATURES)), np.float32),
        evidence=np.zeros((n, len(EVIDENCE)), np.float32),
        interest=zeros,
        affinity=zeros + np.float32(np.log(FLOOR)),
        shopper=states,
        product=states,
        familiarity=zeros,
        intent=zeros,
        trend=zeros,
        rival_log_ratio=zeros * np.nan,
    )


def numeric_inputs(situations: EvaluatorInputs) -> NDArray[np.float32]:
    """Concatenate features, evidence, interest and affinity to `(n, NUMERIC)`."""
    ends = np.stack([situations.interest, situations.affinity], axis=1)
    return np.concatenate([situations.features, situations.evidence, ends], axis=1, dtype=np.float32)


@cache
def _fixed_draws(n_draws: int, seed: int) -> Floats:
    half = np.random.default_rng(seed).standard_normal(n_draws // 2)
    return np.concatenate([half, -half])
