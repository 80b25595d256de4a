from collections.abc import Callable

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli import app as commands
from eval.policies import Attainable, BestPrice, BoostedGrid, Hold, Policy, ThompsonLogit
from eval.policy import CHECKPOINTS, WORLDS, Line, PolicyReport, Run, regressions, run
from eval.policy_pricesmith import Pricesmith
from eval.simulators import Courses, Grocery, Rooms, Shifting, World
from eval.simulators.rooms import CAPACITY, CHANCE, STEPS
from tests.prepared import World as Prepared


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_repeats_itself_and_demand_falls_with_price(name: str) -> None:
    one, other = (WORLDS[name](3, 400) for _ in range(2))
    visits = one.visits(40)
    assert visits == other.visits(40)
    for visit in visits:
        chances = visit.probability(one.limits.grid)
        assert (np.diff(chances) < 0).all()
        assert visit.surplus(0.8) > visit.surplus(1.2) > 0
        assert one.opportunity(visit) >= visit.cost - 1e-12


def test_prices_do_not_change_who_comes() -> None:
    cheap, dear = Courses(1), Courses(1)
    for _ in range(30):
        a, b = cheap.visits(1)[0], dear.visits(1)[0]
        assert a == b
        cheap.settle(a, 0.5)
        dear.settle(b, 1.5)


def test_demand_is_lower_and_steeper_after_the_shift() -> None:
    world = Shifting(0, 50)
    before, after = world.visits(49), world.visits(200)
    assert np.mean([v.slope for v in after]) > 1.6 * np.mean([v.slope for v in before])
    chance = [np.mean([float(v.probability(1.0)) for v in some]) for some in (before, after)]
    assert chance[1] < chance[0]


def test_the_rooms_optimum_beats_every_single_price_on_the_same_nights() -> None:
    def earned(price: Callable[[World], Policy]) -> float:
        world = Rooms(2)
        one = run(world, price(world), 2_000)
        return float(one.profit.sum() / one.best.sum())

    best = earned(Attainable)
    assert best == pytest.approx(1.0, abs=0.03)  # the noise of who comes
    for ratio in (0.8, 1.0, 1.2, 1.5):
        assert earned(lambda world, ratio=ratio: _Fixed(ratio)) < best - 0.02  # type: ignore[misc]


def test_the_last_room_is_worth_most_early_and_nothing_when_time_is_up() -> None:
    value = Rooms(0)._value
    assert value.shape == (STEPS + 1, CAPACITY + 1)
    assert (np.diff(value, axis=0) >= -1e-12).all()
    assert (np.diff(value, n=2, axis=1) <= 1e-9).all()  # each further room is worth less
    assert value[0].max() == 0.0
    assert value[1, 1] <= CHANCE * 2.0


@pytest.mark.parametrize(
    "make",
    [lambda world: ThompsonLogit(world, 0), lambda world: BoostedGrid(world, 0), lambda world: BestPrice(world, _all)],
    ids=["Thompson", "LightGBM", "best price"],
)
def test_peers_learn_to_earn_more_than_holding(make: Callable[[World], Policy]) -> None:
    world = Courses(5)
    learned = run(world, make(world), 2_400)
    held = run(Courses(5), Hold(), 2_400)
    late = slice(1_800, None)
    assert learned.profit[late].sum() > 1.02 * held.profit[late].sum()
    assert learned.profit.sum() < learned.best.sum()


def test_pricesmith_learns_through_its_own_pipeline_within_the_limits(world: Prepared) -> None:
    shop = Courses(4)
    policy = Pricesmith(shop, world.folder / "models")
    learned = run(shop, policy, 400)
    held = run(Courses(4), Hold(), 400)
    assert learned.breaches == 0
    assert learned.profit[200:].sum() > held.profit[200:].sum()


def test_holding_is_what_the_oracle_does_where_no_discount_pays() -> None:
    world = Grocery(0)
    assert set(Attainable(world).prices(world.visits(300))) == {1.0}


def test_a_policy_that_ends_below_holding_or_leaves_its_limits_is_a_regression() -> None:
    def line(policy: str, last: float, breaches: int = 0) -> Line:
        return Line(policy, {500: last}, {500: last}, {500: last}, last, 0.1, 0.0, breaches, 1.0)

    hold = line("hold reference", 0.9)
    good = PolicyReport(500, 1, {"shop": [line("Pricesmith", 0.91), hold]})
    worse = PolicyReport(500, 1, {"shop": [line("Pricesmith", 0.8), hold]})
    loose = PolicyReport(500, 1, {"shop": [line("Pricesmith", 0.95, 2), hold]})
    assert regressions(good) == []
    assert "below holding" in regressions(worse)[0]
    assert "outside the limits" in regressions(loose)[0]
    assert CHECKPOINTS[0] == 500


def test_an_unknown_shop_is_named_with_those_that_exist() -> None:
    told = CliRunner().invoke(commands, ["eval", "policy", "--world", "casino"])
    assert told.exit_code == 2
    assert "casino" in told.output


class _Fixed(Hold):
    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def prices(self, visits: object) -> list[float]:
        return [self._ratio]


def _all(_visit: object) -> str:
    return ""


def test_a_run_accounts_for_every_visit() -> None:
    one = run(Courses(1), Hold(), 123)
    assert isinstance(one, Run)
    assert len(one.profit) == len(one.best) == len(one.surplus) == 123
    assert (one.best >= one.profit - 1e-12).all()
    assert not one.above.any()


@pytest.mark.parametrize("name", ["VowpalCats", "VowpalAdf"])
def test_vowpal_learns_to_earn_more_than_it_began_with(name: str) -> None:
    pytest.importorskip("vowpalwabbit", reason="make peers")
    from eval import policy_vowpal

    world = Courses(0)
    found = run(world, getattr(policy_vowpal, name)(world, 0), 2_000)
    early, late = slice(0, 400), slice(1_600, 2_000)
    assert found.profit[late].sum() / found.best[late].sum() > found.profit[early].sum() / found.best[early].sum()


def test_peers_that_are_not_installed_are_named_with_the_remedy() -> None:
    from eval.policy_vowpal import available

    if available():
        pytest.skip("vowpalwabbit is here")
    done = CliRunner().invoke(commands, ["eval", "policy", "--quick", "--peers", "all"])
    assert done.exit_code == 1
    assert "make peers" in done.output
