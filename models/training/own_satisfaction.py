"""Satisfaction learned from what a shop reported of its sales, and judged on the latest reports."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluator.satisfaction import (
    PRIOR,
    Factor,
    Satisfaction,
    SatisfactionSource,
    prior_factor,
    with_slope_of,
)
from models.training.metrics import log_loss
from models.training.sale_reports import Evidence, Ints, Reports, Sales, reports_of
from models.training.satisfaction_fit import ContentRows, fit_factor

HELD_OUT: Final = 0.2
"""Share of the reports, the latest, on which the fit to the others is judged."""
LEAST_HELD_OUT: Final = 20
_MORE: Final = 0.1  # of the reference price
_WIDE: Final = 3.0  # prior sd of the level of repurchases, which the prior says nothing of
_REMEDY: Final = (
    "remedy: import outcomes with the columns returned and rating, or report the types returned and rated at quotes"
)


@dataclass(frozen=True, slots=True)
class SatisfactionMeasure:
    """Judgement of what one kind of report taught.

    Attributes:
        reports: Number of sales with such a report, `held_out` of them to be judged on.
        log_loss: On those, fitted to the earlier ones; None where too few were held out.
        constant: Log loss of the earlier ones' mean; of repurchases, of the products' means.
        mean_over_rate: Mean prediction over what was reported.
        used: `effects`: price, products and categories count; `mean`: the level alone, with the prior's slope;
            `slope`: the slope alone, with the prior's level; `nothing`.
    """

    evidence: Evidence
    reports: int
    held_out: int
    log_loss: float | None
    constant: float | None
    mean_over_rate: float | None
    used: str


@dataclass(frozen=True, slots=True)
class SatisfactionReport:
    """Knowledge of satisfaction after a training.

    Attributes:
        source: `prior` where nothing was reported, or nothing that predicts; else `learned`.
        reports: Number of sales with any report that was used.
        at_reference: Probability of being content at the reference price, of an average product, and its 90 % interval.
        at_more: That at a price 10 % higher.
        notes: Remarks for the reader.
    """

    source: str = SatisfactionSource.PRIOR.value
    reports: int = 0
    measures: tuple[SatisfactionMeasure, ...] = ()
    at_reference: tuple[float, float, float] = (0.0, 0.0, 0.0)
    at_more: tuple[float, float, float] = (0.0, 0.0, 0.0)
    notes: tuple[str, ...] = ()


NOTHING_REPORTED: Final = SatisfactionReport()


@dataclass(frozen=True, slots=True)
class LearnedSatisfaction:
    """Knowledge of satisfaction; `known` is None where it is the prior."""

    known: Satisfaction | None
    report: SatisfactionReport


def learn_satisfaction(sales: Sales) -> LearnedSatisfaction:
    """Fit a factor to each kind of report; the prior exactly where a shop reported nothing."""
    told = reports_of(sales)
    judged = [_judged(sales, one, _prior(one.evidence, len(told))) for one in told]
    measures = tuple(measure for measure, _ in judged)
    if not judged:
        note = f"nothing was reported of sales, so satisfaction is a prior; {_REMEDY}"
        return LearnedSatisfaction(None, _summary(PRIOR, SatisfactionReport(notes=(note,))))
    notes = tuple(note for measure in measures for note in _notes(measure))
    if told[0].evidence is Evidence.REPURCHASES:
        measure, factor = judged[0]
        known = with_slope_of(factor) if measure.used == "slope" else None
    else:
        known = Satisfaction(tuple(factor for _, factor in judged))
    source = "learned" if known is not None else SatisfactionSource.PRIOR.value
    count = len(np.unique(np.concatenate([one.rows for one in told]))) if known is not None else 0
    report = SatisfactionReport(source, count, measures, notes=notes)
    return LearnedSatisfaction(known, _summary(known or PRIOR, report))


def _prior(evidence: Evidence, count: int) -> Factor:
    prior = prior_factor(count)
    if evidence is not Evidence.REPURCHASES:
        return prior
    return replace(prior, covariance=np.diag([_WIDE**2, prior.covariance[1, 1]]))


def _judged(sales: Sales, told: Reports, prior: Factor) -> tuple[SatisfactionMeasure, Factor]:
    """The factor of all reports, in the form that predicted the latest ones best, and its measure."""
    again = told.evidence is Evidence.REPURCHASES
    at_s = sales.at_s[told.rows]
    late = at_s > np.quantile(at_s, 1.0 - HELD_OUT)
    early, held_out = np.flatnonzero(~late), np.flatnonzero(late)
    measure = SatisfactionMeasure(told.evidence, len(told.rows), len(held_out), None, None, None, "mean")
    if min(len(early), len(held_out)) >= LEAST_HELD_OUT:
        content = told.content[held_out]
        whole = fit_factor(_rows(sales, told, early), prior)
        probability = _predicted(sales, told.rows[held_out], whole)
        loss = _loss(content, probability)
        if again:
            flat = fit_factor(_rows(sales, told, early, flat=True), prior)
            beaten = constant = _loss(content, _predicted(sales, told.rows[held_out], flat, flat=True))
        else:
            level = fit_factor(_rows(sales, told, early), prior, whole=False)
            constant = _loss(content, np.full(len(content), told.content[early].mean()))
            beaten = min(constant, _loss(content, _predicted(sales, told.rows[held_out], level)))
        better = ("slope" if again else "effects") if loss < beaten else ("nothing" if again else "mean")
        over = float(probability.mean() / max(1e-9, content.mean()))
        measure = replace(measure, log_loss=loss, constant=constant, mean_over_rate=over, used=better)
    elif again:
        measure = replace(measure, used="nothing")
    return measure, fit_factor(_rows(sales, told, np.arange(len(told.rows))), prior, whole=measure.used != "mean")


def _rows(sales: Sales, told: Reports, some: Ints, *, flat: bool = False) -> ContentRows:
    """Reports to fit; `flat` ignores their prices."""
    rows = told.rows[some]
    log_ratio, shopper = sales.log_ratio[rows], sales.shopper[rows]
    return ContentRows(
        names=sales.names,
        product=sales.product[rows],
        cluster=np.where(shopper < 0, -1 - np.arange(len(rows)), shopper),
        log_ratio=np.zeros(len(rows)) if flat else log_ratio,
        content=told.content[some],
    )


def _predicted(sales: Sales, rows: Ints, factor: Factor, *, flat: bool = False) -> Floats:
    effect = np.asarray([factor.effect(*sales.names[product]) for product in sales.product[rows].tolist()])
    log_ratio = np.zeros((len(rows), 1)) if flat else sales.log_ratio[rows][:, None]
    return factor.probability(log_ratio, effect)[:, 0]


def _loss(content: Floats, probability: Floats) -> float:
    return log_loss(content, probability, np.ones(len(content)))


def _summary(known: Satisfaction, report: SatisfactionReport) -> SatisfactionReport:
    average = np.zeros((1, len(known.factors), 2))
    prices = np.log([[1.0, 1.0 + _MORE]])
    value, draws = known.probability(prices, average)[0], known.drawn(prices, average)[0]
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    found = [(float(value[k]), float(low[k]), float(high[k])) for k in range(2)]
    return replace(report, at_reference=found[0], at_more=found[1])


def _notes(measure: SatisfactionMeasure) -> list[str]:
    name = measure.evidence.value
    if measure.log_loss is None or measure.constant is None:
        return [
            f"{measure.reports:,} {name} are too few to hold some out: "
            + ("they are not used" if measure.used == "nothing" else "only their mean is used, shrunk to the prior")
        ]
    if measure.used == "slope":
        return [
            f"of satisfaction only the price response is learned, from {measure.reports:,} sales bought again or not; "
            f"its level is a prior; {_REMEDY}"
        ]
    against = f"log loss {measure.log_loss:.5f} against {measure.constant:.5f} of"
    if measure.used == "nothing":
        return [
            f"price does not tell who buys again ({against} the products' means), so satisfaction is a prior; {_REMEDY}"
        ]
    if measure.used == "mean":
        return [
            f"price and products do not predict later {name} better than their mean ({against} it): only the mean is "
            "used, with the prior's price response"
        ]
    return []
