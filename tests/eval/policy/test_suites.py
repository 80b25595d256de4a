from eval.policy.cold_start import FIRST_VISITS, LAUNCHES, ColdLine, first_visits, rows
from eval.policy.frontier import SHARES, Point, picture
from eval.policy.frontier import rows as frontier_rows
from eval.policy.policies import BestPrice, HoldReference, ThompsonLogit
from eval.simulators import Grocery


def test_data_of_other_products_help_with_a_new_one_and_do_not_affect_holding() -> None:
    launch = next(iter(LAUNCHES.values()))
    taught, untaught = (first_visits(launch, ThompsonLogit, 1, taught=one) for one in (True, False))
    assert untaught < taught <= 1.0
    held = [first_visits(launch, lambda _world, _seed: HoldReference(), 1, taught=one) for one in (True, False)]
    assert abs(held[0] - held[1]) < 0.05  # other shoppers came, nothing was learned


def test_a_price_per_product_does_not_transfer_to_a_new_one() -> None:
    launch = next(iter(LAUNCHES.values()))
    shares = [
        first_visits(launch, lambda world, _seed: BestPrice(world, lambda visit: visit.product), 1, taught=one)
        for one in (True, False)
    ]
    assert abs(shares[0] - shares[1]) < 0.05


def test_new_products_of_the_grocery_have_others_of_the_same_category() -> None:
    launch = LAUNCHES["grocery, vendor-funded: five of thirty are new"]
    catalogue = Grocery(0).catalogue()
    new = launch.new(Grocery(0))
    known = {one.category for one in catalogue if one.product_id not in new}
    assert sum(one.category in known for one in catalogue if one.product_id in new) >= 2


def test_a_cold_start_row_states_whether_other_products_were_learned() -> None:
    line = ColdLine("shop", "Pricesmith", True, 0.9, 0.8, 0.95)
    assert rows([line]) == [["shop", "Pricesmith", "other products", "90.0% (80%-95%)", ""]]
    assert FIRST_VISITS == 500


def test_the_frontier_plot_includes_the_non_personalised_policies() -> None:
    points = [Point(f"{share:g} / 0 / 0", share, 1 - share, 1.0, 0.5) for share in SHARES]
    points += [Point("best single price", 0.8, 0.4, 1.0, 0.0), Point("hold reference", 0.7, 0.5, 1.0, 0.0)]
    plot = picture(points)
    assert plot.startswith("<svg")
    assert len(frontier_rows(points)) == len(SHARES) + 2
