import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluator.cusum import Cusum
from models.evaluator.effect_posteriors import ALARM_VARIANCE, CAPACITY, PRODUCT_CAPACITY
from models.evaluator.lesson import Lesson, Term
from models.evaluator.monotone import N_DRAWS, SLOPE_MIN
from models.evaluator.online_effects import OnlineEffects

ALL = Term("all", 1.0, 2.0, 1.0)
RED, BLUE = Term("colour=red", 1.0, 0.8, 0.5), Term("colour=blue", 1.0, 0.8, 0.5)
ITEM = Term("product=7", 1.0, 0.8, 0.5, independent=True)


def lesson(*terms: Term, log_ratio: float = 0.0, level: float = -2.0) -> Lesson:
    return Lesson(level, 1.0, 0.0, log_ratio, terms or (ALL, RED))


def bought(rng: np.random.Generator, level: float, slope: float, x: float) -> bool:
    return bool(rng.random() < 1 / (1 + math.exp(-(level - slope * x))))


def learned(n: int, seed: int = 0, effects: OnlineEffects | None = None, level: float = 0.5) -> OnlineEffects:
    """Learn `n` simulated outcomes; red adds one logit, the price slope is 3."""
    effects = effects or OnlineEffects()
    rng = np.random.default_rng(seed)
    for _ in range(n):
        x, red = float(rng.uniform(-0.4, 0.4)), bool(rng.integers(2))
        terms = (ALL, RED if red else BLUE, ITEM)
        effects.learn(lesson(*terms, log_ratio=x), bought(rng, level + red, 3.0, x))
    return effects


def slope_of(effects: OnlineEffects, *terms: Term) -> float:
    return SLOPE_MIN + math.log1p(math.exp(1.0 + float(effects.shift([terms], unseen=True).slope[0])))


def test_level_slope_and_effects_of_a_simulated_shop_are_recovered() -> None:
    effects = learned(6_000)
    shift = effects.shift([(ALL, RED, ITEM), (ALL, BLUE, ITEM)], unseen=True)
    assert -2.0 + shift.level == pytest.approx([1.5, 0.5], abs=0.2)
    assert slope_of(effects, ALL, RED, ITEM) == pytest.approx(3.0, abs=0.5)
    assert effects.drift.alarms == 0


def test_one_outcome_moves_to_the_maximum_of_its_posterior() -> None:
    effects = OnlineEffects()
    effects.learn(lesson(ALL), True)
    moved = float(effects.shift([(ALL,)], unseen=True).level[0])
    grid = np.linspace(-6, 10, 160_001)
    posterior = -np.logaddexp(0, -(-2.0 + grid)) - grid**2 / (2 * ALL.level_sd**2)
    assert moved == pytest.approx(grid[posterior.argmax()], abs=1e-3)


def test_draws_stay_draws_of_the_posterior() -> None:
    effects = learned(800)
    joint = effects.joint
    assert joint.draws.mean(axis=2) == pytest.approx(joint.mean, abs=1e-9)
    spread = joint.draws.reshape(-1, N_DRAWS).std(axis=1)
    assert spread == pytest.approx(np.sqrt(np.diag(joint.covariance)), rel=0.5)
    shift = effects.shift([(ALL, RED)], unseen=False)
    gradient = np.zeros(len(joint.covariance))
    for term in (ALL, RED):
        gradient[2 * joint.rows[term.name]] = term.level_sd
    assert shift.level_draws.std() == pytest.approx(math.sqrt(gradient @ joint.covariance @ gradient), rel=0.4)


def test_the_same_outcomes_give_the_same_state_to_the_last_bit_and_a_snapshot_goes_on_from_there() -> None:
    whole = learned(300, seed=4)
    again = learned(300, seed=4)
    for name, array in whole.to_arrays().items():
        assert array.tobytes() == again.to_arrays()[name].tobytes(), name
    resumed = OnlineEffects.from_arrays(whole.names, whole.to_arrays())
    learned(50, seed=5, effects=resumed)
    learned(50, seed=5, effects=whole)
    assert resumed.names == whole.names
    for name, array in whole.to_arrays().items():
        assert array.tobytes() == resumed.to_arrays()[name].tobytes(), name


def test_a_return_reverses_the_update_of_its_purchase() -> None:
    effects = learned(500)
    before = effects.shift([(ALL, RED)], unseen=True).level[0]
    effects.learn(lesson(ALL, RED), True)
    after = effects.shift([(ALL, RED)], unseen=True).level[0]
    effects.relabel(lesson(ALL, RED), False)
    returned = effects.shift([(ALL, RED)], unseen=True).level[0]
    assert returned < before < after


def test_a_change_in_demand_raises_the_alarm_and_is_tracked() -> None:
    effects = learned(4_000)
    assert effects.drift.alarms == 0
    certain = np.diag(effects.joint.covariance).copy()
    learned(400, seed=9, effects=effects, level=-2.5)
    assert effects.drift.alarms >= 1
    assert (np.diag(effects.joint.covariance) >= certain).any()
    learned(1_500, seed=10, effects=effects, level=-2.5)
    level = float(effects.shift([(ALL, BLUE, ITEM)], unseen=True).level[0]) - 2.0
    assert level == pytest.approx(-2.5, abs=0.35)


def test_an_alarm_needs_a_lasting_residual() -> None:
    rng = np.random.default_rng(0)
    calm = Cusum()
    for _ in range(20_000):
        calm = calm.after(float(rng.standard_normal()))
    assert calm.alarms == 0
    rising = Cusum()
    for _ in range(400):
        rising = rising.after(0.5 + float(rng.standard_normal()))
    assert rising.alarms >= 1
    assert ALARM_VARIANCE > 0


def test_effects_beyond_the_joint_capacity_are_independent() -> None:
    effects = OnlineEffects()
    for number in range(CAPACITY + 5):
        effects.learn(lesson(Term(f"thing={number}", 1.0, 1.0, 0.5)), True)
    assert len(effects.joint.rows) == CAPACITY
    assert len(effects.independent) == 5
    last = Term(f"thing={CAPACITY + 4}", 1.0, 1.0, 0.5)
    assert effects.shift([(last,)], unseen=True).level[0] > 0


def test_products_share_the_covariance_while_there_is_room_and_stay_where_they_are() -> None:
    effects = OnlineEffects()
    products = [Term(f"product={n}", 1.0, 0.8, 0.5, independent=True) for n in range(PRODUCT_CAPACITY + 3)]
    for product in [*products, *reversed(products)]:
        effects.learn(lesson(product), True)
    assert len(effects.joint.rows) == PRODUCT_CAPACITY
    assert list(effects.independent) == [one.name for one in products[PRODUCT_CAPACITY:]]
    effects.learn(lesson(Term("region=north", 1.0, 0.8, 0.5)), False)
    assert "region=north" in effects.joint.rows


def test_unseen_effects_widen_the_draws_only_on_request() -> None:
    effects = learned(50)
    new = Term("colour=green", 1.0, 0.8, 0.5)
    assert effects.shift([(new,)], unseen=True).level_draws.std() == pytest.approx(0.8, rel=0.4)
    assert not effects.shift([(new,)], unseen=False).level_draws.any()


@settings(max_examples=60)
@given(
    outcomes=st.lists(
        st.tuples(
            st.booleans(),
            st.floats(-1.5, 1.5),
            st.floats(-12, 12),
            st.sampled_from([ALL, RED, BLUE, ITEM, Term("n", -2.5, 0.4, 0.3)]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_effects_stay_finite_and_variances_between_zero_and_the_prior_for_any_outcomes(
    outcomes: list[tuple[bool, float, float, Term]],
) -> None:
    effects = OnlineEffects()
    for label, x, level, term in outcomes:
        effects.learn(lesson(ALL, term, log_ratio=x, level=level) if term != ALL else lesson(ALL, log_ratio=x), label)
    for array in effects.to_arrays().values():
        assert np.isfinite(array).all()
    diagonal = np.diag(effects.joint.covariance)
    assert ((diagonal > 0) & (diagonal <= 1.0)).all()
    assert np.linalg.eigvalsh(effects.joint.covariance).min() > -1e-9


@given(
    drawn=st.lists(st.lists(st.sampled_from([ALL, RED, BLUE, ITEM, Term("width@1:2", 0.3, 0.9, 0.6)]), max_size=4)),
    unseen=st.booleans(),
)
def test_situations_together_are_shifted_as_each_alone(drawn: list[list[Term]], unseen: bool) -> None:
    effects = learned(30)
    together = effects.shift(drawn, unseen=unseen)
    for row, terms in enumerate(drawn):
        alone = effects.shift([terms], unseen=unseen)
        assert together.level[row] == alone.level[0]
        assert (together.slope_draws[row] == alone.slope_draws[0]).all()
        parts = [effects.shift([[term]], unseen=unseen) for term in terms]
        assert together.slope[row] == pytest.approx(sum(float(one.slope[0]) for one in parts), abs=1e-12)
        summed = sum((one.level_draws[0] for one in parts), np.zeros(N_DRAWS))
        assert together.level_draws[row] == pytest.approx(summed, abs=1e-12)
