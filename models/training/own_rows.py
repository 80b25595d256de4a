"""Training rows of a merchant's outcomes: numeric inputs, named effects, prices, weights and times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Floats
from models.evaluator.lesson import Term
from models.evaluator.text_effects import GROUP, TextProjection, text_names
from models.training.evaluator import EvaluatorData
from models.training.factored_matrix import FactoredMatrix

Rows = NDArray[np.int64]

TRAIN_SHARE: Final = 0.7
VALIDATION_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Split:
    """Split by time: the earliest rows train, later ones validate, the latest test."""

    train: Rows
    validation: Rows
    test: Rows

    @classmethod
    def by_time(cls, at_s: Floats) -> "Split":
        """Split at quantiles of time; rows with equal times stay together."""
        first, second = np.quantile(at_s, [TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE])
        return cls(
            np.flatnonzero(at_s <= first),
            np.flatnonzero((at_s > first) & (at_s <= second)),
            np.flatnonzero(at_s > second),
        )

    @property
    def known(self) -> Rows:
        """Everything before the test rows."""
        return np.concatenate([self.train, self.validation])


@dataclass(frozen=True, slots=True)
class EffectColumns:
    """Design matrix of the effects (`models.evaluator.online_effects.Term`).

    Attributes:
        names: Names of the columns. `group` `(k,)`: index into `groups`, which share a prior.
        independent: Whether an effect has an independent posterior (`Term.alone`), `(k,)`.
        values: `(n, k)`.
        sd: Prior sd of level and slope before any outcome, `(len(groups), 2)`.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    group: NDArray[np.int64]
    independent: NDArray[np.bool_]
    values: FactoredMatrix
    sd: Floats

    def with_group(
        self, name: str, columns: Sequence[str], values: FactoredMatrix, sd: tuple[float, float]
    ) -> "EffectColumns":
        """Add a group of effects with `values` `(n, len(columns))` and prior standard deviations of level and slope."""
        return replace(
            self,
            names=(*self.names, *columns),
            groups=(*self.groups, name),
            group=np.concatenate([self.group, np.full(len(columns), len(self.groups))]),
            independent=np.concatenate([self.independent, np.zeros(len(columns), bool)]),
            values=self.values.beside(values),
            sd=np.concatenate([self.sd, np.asarray([sd])]),
        )


class EffectBuilder:
    """Builds `EffectColumns` from the terms of rows, added in any order."""

    def __init__(self, n_rows: int) -> None:
        """Start without effects, for `n_rows` rows."""
        self._n = n_rows
        self._columns: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._group: list[int] = []
        self._independent: list[bool] = []
        self._sd: list[tuple[float, float]] = []
        self._parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]] = []

    def add(self, rows: Sequence[int], terms: Iterable[Sequence[Term]]) -> None:
        """Add the terms of the given rows."""
        row: list[int] = []
        column: list[int] = []
        value: list[float] = []
        for place, own in zip(rows, terms, strict=True):
            for term in own:
                row.append(place)
                column.append(self._column(term))
                value.append(term.value)
        self._parts.append((np.asarray(row, np.int32), np.asarray(column, np.int32), np.asarray(value, np.float32)))

    def columns(self) -> EffectColumns:
        """Return the design matrix of all terms added."""
        parts = [np.concatenate(part) for part in zip(*self._parts, strict=True)]
        shape = (self._n, len(self._columns))
        return EffectColumns(
            names=tuple(self._columns),
            groups=tuple(self._groups),
            group=np.asarray(self._group, np.int64),
            independent=np.asarray(self._independent, bool),
            values=FactoredMatrix.of_columns(sparse.csr_matrix((parts[2], (parts[0], parts[1])), shape)),
            sd=np.asarray(self._sd, np.float64),
        )

    def _column(self, term: Term) -> int:
        column = self._columns.get(term.name)
        if column is None:
            column = self._columns[term.name] = len(self._columns)
            group = self._groups.setdefault(term.group, len(self._groups))
            if group == len(self._sd):
                self._sd.append((term.level_sd, term.slope_sd))
            self._group.append(group)
            self._independent.append(term.independent)
        return column


@dataclass(frozen=True, slots=True)
class PriceOrigins:
    """Records of how prices came about, `(n,)` each.

    Attributes:
        cost: log(cost of a unit / reference), nan where unknown.
        propensity: Probability of the price where it was drawn at random, else nan; 1 where it was certain.
    """

    cost: Floats
    propensity: Floats

    @property
    def random(self) -> NDArray[np.bool_]:
        """Rows whose price was drawn at random."""
        return np.asarray(np.isfinite(self.propensity) & (self.propensity > 0) & (self.propensity != 1))


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Training rows; arrays are `(n,)`.

    Attributes:
        data: Numeric inputs, prices and labels; every loss uses its `weight`.
        effects: Design matrix of the effects.
        at_s: Unix seconds.
        rival: log(competitor / reference), nan where unknown.
        intent, trend: Session intent and market trend; None where rows have none.
        interest_alone: Interest logits of an unknown shopper in the products; None where no behaviour text is read.
        doubt: Standard deviation of the logarithm of the slope for what prices were set on and no input tells.
        text: Projection behind the text effects; None where `effects` has none.
        origins: How prices came about; None where nothing is known of it.
    """

    data: EvaluatorData
    effects: EffectColumns
    at_s: Floats
    rival: NDArray[np.float32]
    doubt: float = 0.0
    text: TextProjection | None = None
    origins: PriceOrigins | None = None
    intent: NDArray[np.float32] | None = None
    trend: NDArray[np.float32] | None = None
    interest_alone: NDArray[np.float32] | None = None

    @property
    def signals(self) -> Floats:
        """Session intent and market trend, `(n, 2)`."""
        none = np.zeros(len(self.at_s))
        parts = [none if part is None else part.astype(np.float64) for part in (self.intent, self.trend)]
        return np.stack(parts, axis=1)

    def with_text(self) -> "OwnRows":
        """Add text effects of the products, if enough of them are described."""
        text = TextProjection.of_products(self.data.product_states)
        if text is None:
            return self
        block = text.of(self.data.product_states)
        values = FactoredMatrix.of_groups(self.data.product_row, block.values)
        return replace(self, text=text, effects=self.effects.with_group(GROUP, text_names(len(block)), values, text.sd))

    def without_text(self) -> "OwnRows":
        """Remove the text effects, which `with_text` added last."""
        if self.text is None:
            return self
        effects = self.effects
        kept = np.flatnonzero(effects.group != effects.groups.index(GROUP))
        plain = replace(
            effects,
            names=tuple(effects.names[place] for place in kept),
            groups=effects.groups[:-1],
            group=effects.group[kept],
            independent=effects.independent[kept],
            values=effects.values.columns(kept),
            sd=effects.sd[:-1],
        )
        return replace(self, text=None, effects=plain)

    def mass(self, rows: Rows) -> Floats:
        """Weights of rows: the number of offers that each stands for, so that aggregates count as what they sum up.

        Where declines were sampled and weighted, purchases limit what is known, and sum(weight p (1 - p)), the
        information, is about their number whatever the weights.
        """
        return np.asarray(self.data.weight[rows], np.float64)


@dataclass(frozen=True, slots=True)
class LogitRows:
    """Rows to fit; arrays are `(n,)` unless stated otherwise.

    Attributes:
        mass: Offers that each row stands for.
        effects: `(n, k)`. `inputs`: `(n, f)`. `steps`: `(n, steps)`.
        over: max(0, log(price / competitor's price)), 0 without a competitor.
        signals: Session intent and market trend, `(n, 2)`.
        controls: `(n, c)`.
        level, rest: Known offsets of level and logit.
        cluster: Shopper of each row.
    """

    bought: Floats
    mass: Floats
    log_ratio: Floats
    effects: FactoredMatrix
    inputs: FactoredMatrix
    steps: NDArray[np.float32]
    over: Floats
    signals: Floats
    cluster: NDArray[np.int64]
    controls: Floats
    level: Floats | float = 0.0
    rest: Floats | float = 0.0
