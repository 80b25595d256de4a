from hypothesis import given
from hypothesis import strategies as st

from agent.service.auth.rate_limits import BURST_S, RateLimiter


class Seconds:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_key_without_any_limit_is_never_held_up() -> None:
    limiter = RateLimiter(None)
    assert all(limiter.wait_s("a", None) == 0 for _ in range(1_000))


def test_a_keys_own_limit_goes_before_the_settings_and_keys_are_apart() -> None:
    limiter = RateLimiter(6, Seconds())
    assert [limiter.wait_s("a", None) > 0 for _ in range(2)] == [False, True]
    assert [limiter.wait_s("b", 12) > 0 for _ in range(3)] == [False, False, True]


def test_waiting_the_returned_time_is_enough() -> None:
    clock = Seconds()
    limiter = RateLimiter(30, clock)
    while (wait := limiter.wait_s("a", None)) == 0:
        pass
    clock.at += wait
    assert limiter.wait_s("a", None) == 0


@given(st.integers(1, 600), st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_never_more_uses_than_the_rate_and_one_burst_allow(per_minute: int, gaps: list[float]) -> None:
    clock = Seconds()
    limiter = RateLimiter(per_minute, clock)
    taken = 0
    for gap in gaps:
        clock.at += gap
        taken += limiter.wait_s("a", None) == 0
    assert taken <= max(1.0, per_minute / 60 * BURST_S) + per_minute / 60 * clock.at + 1e-6
