from datetime import UTC, datetime

from agent.store import Store

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def kept(store: Store, made_with: str = "v1", after: int = 0) -> dict[str, str]:
    return {row.situation: row.written for row in store.strategies_after(made_with, after)}


def test_strategies_are_kept_by_model_version_and_the_first_written_stand(store: Store) -> None:
    store.keep_strategies("v1", {"a": "[1]", "b": "[2]"}, AT)
    store.keep_strategies("v2", {"a": "[3]"}, AT)
    store.keep_strategies("v1", {"a": "[9]", "c": "[4]"}, AT)
    assert kept(store) == {"a": "[1]", "b": "[2]", "c": "[4]"}
    assert kept(store, "v2") == {"a": "[3]"}


def test_a_reader_resumes_after_the_last_row_it_read(store: Store) -> None:
    store.keep_strategies("v1", {"a": "[1]", "b": "[2]"}, AT)
    last = store.strategies_after("v1", 0)[-1].seq
    store.keep_strategies("v1", {"c": "[3]"}, AT)
    assert kept(store, after=last) == {"c": "[3]"}
    assert [row.situation for row in store.strategies_after("v1", 0, most=1)] == ["a"]


def test_the_oldest_are_dropped_beyond_the_bound(store: Store) -> None:
    for number in range(6):
        store.keep_strategies("v1", {str(number): "[]"}, AT, most=3)
    assert kept(store) == {"3": "[]", "4": "[]", "5": "[]"}


def test_nothing_written_stores_nothing(store: Store) -> None:
    store.keep_strategies("v1", {}, AT)
    assert kept(store) == {}
