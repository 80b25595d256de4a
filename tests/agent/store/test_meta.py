from agent.store import Store


def test_meta_values_are_set_replaced_and_kept_apart(store: Store) -> None:
    store.set_meta("a", "1")
    store.set_meta("b", "2")
    store.set_meta("a", "3")

    assert (store.meta("a"), store.meta("b"), store.meta("c")) == ("3", "2", None)
