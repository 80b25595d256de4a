"""Requests of the benchmark: equal for every tree, and asked once but where a row says so."""

import pytest

from eval.bench.rows import PAGE, ROWS, Asked, Row, Shop, Turn

TURNS = 3
ROW = {row.name: row for row in ROWS}
SHOP = Shop.of([f"s{number}" for number in range(400)], [f"p{number}" for number in range(4_000)])


def pairs(asked: list[Asked]) -> list[tuple[str, str]]:
    return [(one.shopper_id, product) for one in asked for product in one.products]


def requests(name: str) -> list[list[Asked]]:
    return [ROW[name].requests(SHOP, Turn(number, TURNS)) for number in range(TURNS)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_requests_are_equal_for_every_tree(row: Row) -> None:
    turn = Turn(1, TURNS)
    assert row.requests(SHOP, turn) == row.requests(SHOP, turn)


@pytest.mark.parametrize("name", ["page_met", "met_16", "random", "random_16"])
def test_no_pair_is_asked_in_two_turns(name: str) -> None:
    asked = [pair for turn in requests(name) for pair in pairs(turn)]
    assert len(asked) == len(set(asked)) > 1_000


def test_rows_of_shoppers_met_share_no_pair() -> None:
    asked = [{pair for turn in requests(name) for pair in pairs(turn)} for name in ("page_met", "met_16")]
    assert not asked[0] & asked[1]


def test_a_shopper_not_met_lately_is_asked_for_once() -> None:
    asked = [one.shopper_id for name in ("page_not_met", "page_not_met_4") for turn in requests(name) for one in turn]
    assert len(asked) == len(set(asked))
    assert not set(asked) & {*SHOP.met, *SHOP.others}


def test_pages_have_distinct_products() -> None:
    for name in ("page_met", "page_not_met"):
        assert all(len(set(one.products)) == PAGE for one in requests(name)[0])


def test_the_same_quote_again_is_one_a_client() -> None:
    assert [len(ROW[name].requests(SHOP, Turn(0, 1))) for name in ("same", "same_16")] == [1, 16]


def test_a_shop_with_too_little_is_refused_with_a_remedy() -> None:
    with pytest.raises(SystemExit, match="remedy"):
        Shop.of(["s"], ["p"] * 1_000)
