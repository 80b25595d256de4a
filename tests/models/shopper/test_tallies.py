from copy import copy

from hypothesis import given
from hypothesis import strategies as st

from models.shopper.history import Act, ShopperHistory
from models.shopper.history_codec import decode_history, encode_history
from models.shopper.tallies import PackedTallies, Tally, largest

_NAMES = st.sampled_from("abcdefghijklmnop")
_BOUGHT = st.lists(st.tuples(_NAMES, st.sampled_from([0.0, 1.0, 86_400.0, 9e6, 3e7])), min_size=1, max_size=40)


def packed(bought: list[tuple[str, float]]) -> tuple[dict[str, Tally], PackedTallies]:
    """Tallies of some purchases of categories, as counted and as read back."""
    history = ShopperHistory()
    for category, at_s in sorted(bought, key=lambda one: one[1]):
        history.observe(Act("purchase", at_s, "", category, ""))
    decoded = decode_history(encode_history(history))
    assert decoded is not None
    assert isinstance(history.categories, dict) and isinstance(decoded.categories, PackedTallies)
    return history.categories, decoded.categories


@given(_BOUGHT, st.integers(1, 6), st.sampled_from([0.0, 1e6, 1e9]))
def test_largest_are_the_same_in_columns_and_in_tallies(
    bought: list[tuple[str, float]], count: int, later_s: float
) -> None:
    counted, columns = packed(bought)
    at_s = max(at_s for _, at_s in bought) + later_s
    assert largest(columns, count, at_s) == largest(counted, count, at_s)


@given(_BOUGHT, _BOUGHT)
def test_a_copy_changes_like_a_dictionary_and_leaves_the_first(
    bought: list[tuple[str, float]], more: list[tuple[str, float]]
) -> None:
    counted, columns = packed(bought)
    before = dict(columns.items())
    first, second = counted.copy(), columns.copy()
    for name, at_s in more:
        for tallies in (first, second):
            tally = copy(tallies[name]) if name in tallies else Tally()
            tally.add(1e8 + at_s, 0.1)
            tallies[name] = tally
    assert first == second and list(first) == list(second)
    assert largest(first, 3, 2e8) == largest(second, 3, 2e8)
    assert dict(columns.items()) == before == counted
    del first[bought[0][0]], second[bought[0][0]]
    assert first == second and bought[0][0] not in second


def test_a_tally_read_twice_is_one_object() -> None:
    _, columns = packed([("a", 1.0)])
    assert columns["a"] is columns["a"]
    assert columns.get("b") is None and len(columns) == 1
