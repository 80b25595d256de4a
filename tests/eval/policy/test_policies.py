from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app as commands
from eval.policy.clients import Over
from eval.policy.oracles import FixedPrice, WithOpportunityCost, best_fixed
from eval.policy.policies import BestPrice, BoostedGrid, Clairvoyant, HoldReference, Policy, ThompsonLogit
from eval.policy.pricesmith import Pricesmith
from eval.policy.runs import Run, run
from eval.policy.suites import CHECKPOINTS, WORLDS, Line, PolicyReport, Suite, lead, regressions, run_suite
from eval.simulators import Courses, Grocery, Loans, Rooms, Shifting, Visit, World
from eval.simulators.grocery import MEAN_BOUGHT
from eval.simulators.product_subset import ProductSubset
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


def test_prices_do_not_change_the_visits() -> None:
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

    best = earned(Clairvoyant)
    assert best == pytest.approx(1.0, abs=0.03)  # noise of the arrivals
    for ratio in (0.8, 1.0, 1.2, 1.5):
        assert earned(lambda world, ratio=ratio: FixedPrice(ratio)) < best - 0.02  # type: ignore[misc]


def test_the_last_room_has_its_highest_value_early_and_none_at_the_end() -> None:
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
    held = run(Courses(5), HoldReference(), 2_400)
    late = slice(1_800, None)
    assert learned.profit[late].sum() > 1.02 * held.profit[late].sum()
    assert learned.profit.sum() < learned.best.sum()


def test_pricesmith_learns_through_its_own_pipeline_within_the_limits(world: Prepared) -> None:
    shop = Courses(4)
    policy = Pricesmith(shop, world.folder / "models")
    learned = run(shop, policy, 400)
    held = run(Courses(4), HoldReference(), 400)
    assert learned.breaches == 0
    assert learned.profit[200:].sum() > held.profit[200:].sum()


def test_the_same_seed_gives_pricesmith_the_same_prices(world: Prepared) -> None:
    runs = [run(Courses(4), Pricesmith(Courses(4), world.folder / "models", seed=2), 60) for _ in range(2)]
    assert runs[0].price.tolist() == runs[1].price.tolist()


def test_pricesmith_over_http_prices_and_learns_as_in_process(world: Prepared) -> None:
    models = world.folder / "models"
    http = run(Courses(4), Pricesmith(Courses(4), models, seed=2, over=Over.HTTP), 60)
    here = run(Courses(4), Pricesmith(Courses(4), models, seed=2), 60)
    assert http.breaches == 0
    assert http.profit[:10].sum() == pytest.approx(here.profit[:10].sum(), rel=0.5)  # chance is the server's own
    assert len(set(http.price[10:].tolist())) > 5


def test_holding_earns_nearly_as_much_as_the_clairvoyant_at_realistic_costs() -> None:
    world = Grocery(0)
    visits = world.visits(300)
    ideal = Clairvoyant(world).prices(visits)
    assert np.mean([ratio == 1.0 for ratio in ideal]) > 0.9
    best = sum(float(v.probability(r)) * (r - v.cost) for v, r in zip(visits, ideal, strict=True))
    assert sum(float(v.probability(1.0)) * (1.0 - v.cost) for v in visits) > 0.999 * best


def test_with_vendor_funding_personalisation_gains_some_percent_over_the_best_price_per_product() -> None:
    world = Grocery(0, funded=True)
    visits, grid = world.visits(3_000), world.limits.grid
    profit = np.stack([v.probability(grid) * (grid - v.cost) for v in visits])
    products = np.asarray([v.product for v in visits])
    each = sum(profit[products == one].sum(axis=0).max() for one in set(products.tolist()))
    assert 1.02 < profit.max(axis=1).sum() / each < 1.08


def test_the_grocery_has_its_mean_purchase_probability_and_the_fitted_elasticities() -> None:
    visits = Grocery(0).visits(2_000)
    chance = np.asarray([float(v.probability(1.0)) for v in visits])
    assert chance.mean() == pytest.approx(MEAN_BOUGHT, abs=0.02)
    elasticity = np.asarray([v.slope for v in visits]) * (1 - chance)
    assert 1.2 < np.average(elasticity, weights=chance) < 2.2


def test_a_peer_is_given_the_opportunity_cost_of_a_room() -> None:
    seen: list[float] = []

    class Spy(FixedPrice):
        def prices(self, visits: Sequence[Visit]) -> list[float]:
            seen.extend(visit.cost for visit in visits)
            return super().prices(visits)

    world = Rooms(1)
    peer = WithOpportunityCost(Spy(1.0), world)
    for _ in range(20):
        visit = world.visits(1)[0]
        peer.prices([visit])
        assert seen[-1] == world.opportunity(visit)
    assert max(seen) > 0.25, "scarce rooms are worth more than their cost"


def test_the_best_fixed_price_is_best_among_fixed_prices_over_the_same_visits() -> None:
    ratio = best_fixed(lambda: Loans(3), 400)
    earned = {r: run(Loans(3), FixedPrice(r), 400).profit.sum() for r in (ratio, ratio - 0.08, ratio + 0.08)}
    assert max(earned, key=lambda r: earned[r]) == ratio


def test_a_product_subset_has_the_worlds_own_visits() -> None:
    only = ProductSubset(Courses(2), {"course-1"}).visits(20)
    every = [visit for visit in Courses(2).visits(200) if visit.product == "course-1"][:20]
    assert only == every


def test_a_lead_is_the_mean_gap_with_an_interval_around_it() -> None:
    world = Courses
    good = [run(world(seed), FixedPrice(0.8), 600) for seed in (1, 2)]
    bad = [run(world(seed), FixedPrice(1.6), 600) for seed in (1, 2)]
    value, low, high = lead(good, bad, 600)
    gaps = [(a.profit.sum() - b.profit.sum()) / a.best.sum() for a, b in zip(good, bad, strict=True)]
    assert value == pytest.approx(np.mean(gaps))
    assert low < value < high
    assert lead(good, good, 600) == (0.0, 0.0, 0.0)


def test_a_resumed_suite_repeats_no_finished_run(tmp_path: Path) -> None:
    suite = Suite(("loans",), 300, 2, tmp_path, only=("hold reference", "clairvoyant"), keep=tmp_path / "runs")
    first = run_suite(suite, lambda _what, _share: None)
    files = sorted((tmp_path / "runs").iterdir())
    assert len(files) == 4
    touched = [file.stat().st_mtime_ns for file in files]
    assert run_suite(suite, lambda _what, _share: None) == first
    assert [file.stat().st_mtime_ns for file in files] == touched
    assert {line.policy: line.share[300] for line in first.worlds["loans"]}["clairvoyant"] == 1.0


def test_profit_below_holding_or_a_price_outside_the_limits_is_a_regression() -> None:
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


def test_an_unknown_shop_is_refused_by_name() -> None:
    done = CliRunner().invoke(commands, ["eval", "policy", "--world", "casino"])
    assert done.exit_code == 2
    assert "casino" in done.output


def _all(_visit: object) -> str:
    return ""


def test_a_run_accounts_for_every_visit() -> None:
    one = run(Courses(1), HoldReference(), 123)
    assert isinstance(one, Run)
    assert len(one.profit) == len(one.best) == len(one.surplus) == 123
    assert (one.best >= one.profit - 1e-12).all()
    assert not one.above.any()


@pytest.mark.parametrize("name", ["VowpalCats", "VowpalAdf"])
def test_vowpal_increases_its_profit_by_learning(name: str) -> None:
    pytest.importorskip("vowpalwabbit", reason="make peers")
    from eval.policy import vowpal_peer

    world = Courses(0)
    found = run(world, getattr(vowpal_peer, name)(world, 0), 2_000)
    early, late = slice(0, 400), slice(1_600, 2_000)
    assert found.profit[late].sum() / found.best[late].sum() > found.profit[early].sum() / found.best[early].sum()


def test_pybandits_increases_its_profit_by_learning() -> None:
    pytest.importorskip("pybandits", reason="make peers")
    from eval.policy.pybandits_peer import PybanditsPricing

    world = Courses(0)
    found = run(world, PybanditsPricing(world, 0), 2_000)
    early, late = slice(0, 400), slice(1_600, 2_000)
    assert found.profit[late].sum() / found.best[late].sum() > found.profit[early].sum() / found.best[early].sum()


def test_peers_that_are_not_installed_are_named_with_the_remedy() -> None:
    from eval.policy import pybandits_peer, vowpal_peer

    if vowpal_peer.available() and pybandits_peer.available():
        pytest.skip("the peers are here")
    done = CliRunner().invoke(commands, ["eval", "policy", "--quick", "--peers", "all"])
    assert done.exit_code == 1
    assert "make peers" in done.output
