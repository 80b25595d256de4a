"""Statements of one text for any number of keys and rows, on both databases."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.store import QuoteKey, Store
from agent.store.live_quotes import Claim
from tests.agent.store.builders import AT, decision

_IDS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(st.lists(st.tuples(_IDS, _IDS, st.integers(1, 2**62)), max_size=60, unique=True))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_keys_of_any_characters_find_their_rows_and_no_others(store: Store, parts: list[tuple[str, str, int]]) -> None:
    keys = [QuoteKey(*part) for part in parts]
    made = [
        decision(id=f"{key}", shopper_id=key.shopper_id, product_id=key.product_id, quantity=key.quantity)
        for key in keys
    ]
    store.record_decisions(made, claims=[Claim(holds=True)] * len(made))

    found = store.live_quotes(keys, AT)
    asked = store.standing([*keys, QuoteKey("nobody at all", "p", 1)], AT)

    assert {key: one.id for key, one in found.items()} == {key: f"{key}" for key in keys}
    assert {key: one.live[0] for key, one in asked.items() if one.live is not None} == {key: f"{key}" for key in keys}
    assert set(store.last_prices([(key.shopper_id, key.product_id) for key in keys])) == {
        (key.shopper_id, key.product_id, "USD") for key in keys
    }


def test_decisions_of_live_quotes_are_the_same_from_memory_and_from_the_database(store: Store) -> None:
    key = QuoteKey("s1", "p1", 1)
    store.record_decisions([decision()], claims=[Claim(holds=True)])
    remembered = store.live_quotes([key], AT)
    store.forget_live_quotes()
    assert store.live_quotes([key], AT) == remembered == {key: decision()}
    assert store.live_quotes([key], AT) == remembered
