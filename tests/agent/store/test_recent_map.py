from agent.store.recent_map import RecentMap


def test_the_entries_used_last_are_kept() -> None:
    recent: RecentMap[str, int] = RecentMap(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_what_was_read_before_everything_was_forgotten_is_not_kept() -> None:
    recent: RecentMap[str, int] = RecentMap(2)
    before = recent.clearings
    recent.put("a", 1, before)
    recent.clear()
    recent.put("b", 2, before)
    recent.put("c", 3, recent.clearings)
    assert [recent.get(key) for key in "abc"] == [None, None, 3]
