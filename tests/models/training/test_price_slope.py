from dataclasses import replace

import numpy as np

from models.encoder.encoder import DIM
from models.evaluator.evaluator import NUMERIC
from models.training.evaluator import EvaluatorData, fit
from models.training.evaluator_net import EvaluatorTrainingConfig
from models.training.price_slope import excess_slope, flatten

N = 30_000
CONFIG = EvaluatorTrainingConfig(n_bins=2, hidden=(4,), dropout=0.0, epochs=20, batch=512, learning_rate=1e-2)


def rows(elasticity: float, lift: float = 0.0, seed: int = 0) -> EvaluatorData:
    """Offers whose demand has this elasticity; half of those below the reference price are displayed, with a lift."""
    rng = np.random.default_rng(seed)
    price = rng.choice([-0.3, -0.15, 0.0], N).astype(np.float32)
    displayed = (price < 0) & (rng.random(N) < 0.5)
    truth = 1 / (1 + np.exp(1.5 + elasticity * price - lift * displayed))
    flags = np.where(displayed[:, None], [1.0, -1.0], [-1.0, -1.0]).astype(np.float32)
    zeros = np.zeros(N, np.float32)
    return EvaluatorData(
        numeric=rng.standard_normal((N, NUMERIC)).astype(np.float32) * 0.01,
        shopper_row=np.zeros(N, np.int64),
        product_row=np.zeros(N, np.int64),
        shopper_states=np.zeros((1, DIM), np.float32),
        product_states=np.zeros((1, DIM), np.float32),
        stranger=np.zeros(DIM, np.float32),
        log_ratio=price,
        rate=zeros + 1,
        bought=(rng.random(N) < truth).astype(np.float32),
        weight=zeros + 1,
        returned=zeros * np.nan,
        cluster=np.arange(N),
        promotion=flags,
    )


def test_displays_as_controls_take_their_part_out_of_the_price_slope_even_where_they_are_unknown() -> None:
    data = rows(1.5, lift=0.8)
    everything = np.arange(N)
    blind = replace(data, promotion=None)
    unknown = replace(data, promotion=np.zeros((N, 2), np.float32))
    controlled, confounded = fit(data, everything, CONFIG), fit(blind, everything, CONFIG)
    assert abs(excess_slope(controlled, data, everything)) < 0.2
    assert abs(excess_slope(confounded, blind, everything)) < 0.2
    assert excess_slope(controlled, unknown, everything) < -0.7  # demand differs more with price than price moves it


def test_an_excess_that_is_taken_off_the_slope_is_gone() -> None:
    steep, flat = rows(2.5), rows(1.5, seed=1)
    everything = np.arange(N)
    net = fit(steep, everything, CONFIG)
    excess = excess_slope(net, flat, everything)
    assert 0.4 < excess < 1.2
    flatten(net, flat, everything, excess)
    assert abs(excess_slope(net, flat, everything)) < 0.15
    assert net.purchase.weight.requires_grad
