"""Step 4: purchase probability, profit and satisfaction of every candidate, with intervals.

Candidates are scored at the price that would really be shown, after the guard. The posterior draws are kept beside
the scores: selection compares candidates draw by draw, which intervals cannot do.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from agent.domain.candidates import Interval, ScoreOrigin, Scores
from agent.pricing.flow import Flow, Scored
from agent.rules.gateway_columns import Minor, allowed_prices
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, Response
from models.evaluator.lesson import Lesson

_BOUNDS: Final = (0.05, 0.95)


class Scorer:
    """Runs the evaluator over whole batches."""

    def __init__(self, evaluator: Evaluator) -> None:
        """Score with `evaluator`."""
        self.evaluator = evaluator

    def score(self, flow: Flow) -> None:
        """Add `scored`, at the prices that the guard will make of the proposals."""
        basis = flow.basis
        proposed = _padded([[proposal.raw_minor for proposal in own.proposals] for own in flow.proposed])
        prices = allowed_prices(basis.maps, proposed)
        response = self.evaluator.respond(flow.represented, np.log(prices / basis.reference_minor))
        flow.scored = Scored(
            count=np.asarray([len(own.proposals) for own in flow.proposed], np.int64),
            price_minor=prices,
            response=response,
            scores=score_columns(response, (prices - basis.unit_cost) * basis.quantity),
            origins=self._origins(flow),
            caution=self.evaluator.caution,
        )

    def _origins(self, flow: Flow) -> list[ScoreOrigin]:
        inputs = flow.represented.inputs
        source = self.evaluator.satisfaction_source(out_of_domain=inputs.out_of_domain)
        return [ScoreOrigin(source.value, priors) for priors in self.evaluator.priors_used(inputs)]

    def lessons(self, flow: Flow, shown: Sequence[int]) -> list[Lesson]:
        """Inputs of the online update after an outcome at the price shown (minor units), one for each observation."""
        ratios = np.log(np.asarray(shown, np.float64) / flow.basis.reference_minor[:, 0])
        base = self.evaluator.base(flow.represented, ratios)
        columns = (base.level.tolist(), base.slope.tolist(), base.rest.tolist(), base.log_ratio.tolist())
        terms = (one.terms for one in flow.observations)
        found = [Lesson(*row) for row in zip(*columns, terms, strict=True)]
        text = flow.represented.inputs.text
        if text is None:
            return found
        values = zip(found, text.values.tolist(), strict=True)
        return [replace(lesson, text=tuple(own), text_sd=text.sd) for lesson, own in values]


def score_columns(response: Response, margin: Floats) -> Floats:
    """The three scores, `(n, m, 9)` as in `Scored`; profit is expected, at a margin `(n, m)` of the whole quantity.

    Intervals are the 5 % and 95 % quantiles over the posterior draws.
    """
    purchase = [response.purchase, *_bounds(response.purchase_draws)]
    satisfaction = [response.satisfaction, *_bounds(response.satisfaction_draws)]
    profit = [margin * one for one in purchase]
    return np.stack([*_ordered(purchase), *_ordered(profit), *_ordered(satisfaction)], axis=-1)


def scores_of(numbers: Sequence[float]) -> Scores:
    """The scores of one candidate, from its nine numbers."""
    a, b, c, d, e, f, g, h, i = numbers
    return Scores(Interval(a, b, c), Interval(d, e, f), Interval(g, h, i))


def _bounds(draws: Floats) -> list[Floats]:
    """Quantiles `(n, m)` each of draws `(n, m, draws)`, to the last bit those of `np.quantile`, which takes longer."""
    ordered = np.sort(draws, axis=2)
    found = []
    for share in _BOUNDS:
        place = (draws.shape[2] - 1) * share
        row = int(place)
        gap, rest = ordered[:, :, row + 1] - ordered[:, :, row], place - row
        found.append(ordered[:, :, row] + gap * rest if rest < 0.5 else ordered[:, :, row + 1] - gap * (1.0 - rest))
    return found


def _ordered(score: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """An interval that holds its value, ends in order (a loss's bounds come the other way round)."""
    value, one_end, other = score
    return value, np.minimum(np.minimum(one_end, other), value), np.maximum(np.maximum(one_end, other), value)


def _padded(rows: Sequence[Sequence[int]]) -> Minor:
    """Rows of prices as an array, shorter ones filled up with their first price."""
    width = max(map(len, rows), default=1)
    return np.asarray([[*row, *[row[0]] * (width - len(row))] for row in rows], np.int64).reshape(-1, width)
