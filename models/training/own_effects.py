"""Conversion of a fitted price logit to the initial state of online learning, and its effects on training rows."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.effect_posteriors import IndependentPosterior, JointPosterior
from models.evaluator.monotone import N_DRAWS
from models.evaluator.online_effects import OnlineEffects, Shift
from models.evaluator.trained_effects import TrainedEffects
from models.evaluator.tried_prices import ALL, TriedPrices
from models.training.own_logit import PriceLogit
from models.training.own_rows import EffectColumns

_DRAW_SEED = 20_18
_TRIED_BY = ("product", "product.category")


def trained_effects(model: PriceLogit, columns: EffectColumns) -> TrainedEffects:
    """Convert to a posterior in units of the prior sds; the effect of all rows is in the evaluator's constants."""
    sd = model.sd[columns.group]
    joint = model.joint
    count = len(joint)
    mean = np.stack([model.level[joint] / sd[joint, 0], model.slope[joint] / sd[joint, 1]], axis=1)
    common = [place for place, column in enumerate(joint.tolist()) if columns.names[column] == "all"]
    mean[common] = 0.0
    covariance = _interleaved(model.covariance, sd[joint])
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    half = np.random.default_rng(_DRAW_SEED).standard_normal((N_DRAWS // 2, 2 * count))
    noise = np.concatenate([half, -half]) @ root.T  # (draws, 2 count)
    draws = mean[:, :, None] + noise.T.reshape(count, 2, N_DRAWS)
    rows = {columns.names[column]: place for place, column in enumerate(joint.tolist())}
    independent = {}
    for place, column in enumerate(model.independent.tolist()):
        a, b = sd[column]
        level_var, cov, slope_var = model.independent_covariance[place]
        independent[columns.names[column]] = IndependentPosterior(
            float(model.level[column] / a),
            float(model.slope[column] / b),
            float(min(1.0, level_var / a**2)),
            float(cov / (a * b)),
            float(min(1.0, slope_var / b**2)),
        )
    state = OnlineEffects(JointPosterior(rows, mean, covariance, draws), independent)
    return TrainedEffects(state, {g: (float(a), float(b)) for g, (a, b) in zip(columns.groups, model.sd, strict=True)})


def tried_prices(
    columns: EffectColumns, rows: NDArray[np.int64], log_ratio: Floats, response: float = 1.0
) -> TriedPrices:
    """Ranges of the prices in some rows of the table, whose log ratios are given; `response` as in `TriedPrices`."""
    wanted = [column for column, group in enumerate(columns.group.tolist()) if columns.groups[group] in _TRIED_BY]
    values = columns.values[rows].columns(wanted).to_sparse().tocsc()
    members = {
        columns.names[column]: values.indices[values.indptr[place] : values.indptr[place + 1]].astype(np.int64)
        for place, column in enumerate(wanted)
    }
    return TriedPrices.from_offers(log_ratio, members, response)


def tried_ranges(tried: TriedPrices, columns: EffectColumns, rows: NDArray[np.int64]) -> Floats:
    """The range of each of some table rows, `(n, 2)`; equal to `TriedPrices.of` for the same product and category."""
    found = np.tile(np.asarray(tried.ranges[ALL], np.float64), (len(rows), 1))
    values = columns.values[rows]
    for by in reversed(_TRIED_BY):  # a product's range goes before its category's
        if by not in columns.groups:
            continue
        members = np.flatnonzero(columns.group == columns.groups.index(by))
        group = values.columns(members).to_sparse().tocsc()
        for place, column in enumerate(members.tolist()):
            own = tried.ranges.get(columns.names[column])
            if own is not None:
                found[group.indices[group.indptr[place] : group.indptr[place + 1]]] = own
    return found


def _interleaved(covariance: Floats, sd: Floats) -> Floats:
    """Reorder so that level and slope of an effect are adjacent, in units of the prior sd, with variances at most 1."""
    count = len(sd)
    order = np.arange(2 * count).reshape(2, count).T.ravel()
    unit = sd.ravel()
    found = covariance[np.ix_(order, order)] / unit[:, None] / unit[None]
    shrink = np.sqrt(np.minimum(1.0, 1.0 / np.maximum(1e-12, np.diag(found))))
    return np.asarray(found * shrink[:, None] * shrink[None])


def shift_of(effects: TrainedEffects, columns: EffectColumns, rows: NDArray[np.int64]) -> Shift:
    """Compute the effects of table rows; equal to `OnlineEffects.shift` for the same terms."""
    sd = np.asarray([effects.sd[columns.groups[g]] for g in columns.group.tolist()])
    level, slope = np.zeros(len(columns.names)), np.zeros(len(columns.names))
    draws = np.zeros((2, len(columns.names), N_DRAWS))
    joint = effects.state.joint
    for column, name in enumerate(columns.names):
        place = joint.rows.get(name)
        if place is not None:
            level[column], slope[column] = joint.mean[place]
            draws[:, column] = joint.draws[place]
        else:
            posterior = effects.state.independent.get(name, IndependentPosterior())
            level[column], slope[column] = posterior.level, posterior.slope
            drawn = posterior.draws(name)
            draws[0, column], draws[1, column] = drawn
    values = columns.values[rows]
    return Shift(
        level=values @ (sd[:, 0] * level),
        slope=values @ (sd[:, 1] * slope),
        level_draws=values @ (sd[:, 0, None] * draws[0]),
        slope_draws=values @ (sd[:, 1, None] * draws[1]),
    )
