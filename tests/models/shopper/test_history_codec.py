from hypothesis import given
from hypothesis import strategies as st

from models.shopper.history import RECENT, Act, ShopperHistory
from models.shopper.history_codec import FORMAT, decode_history, encode_history

_WORDS = st.text(max_size=6)
_ACTS = st.builds(
    Act,
    type=st.sampled_from(["purchase", "purchase", "view", "search", "decline"]),
    at_s=st.floats(0, 2e9),
    product=_WORDS,
    category=_WORDS,
    brand=_WORDS,
    price_ratio=st.floats(0, 1e9),
    price_minor=st.none() | st.integers(0, 2**62),
    currency=st.sampled_from(["", "EUR", "JPY"]),
    text=_WORDS,
)


def folded(acts: list[Act]) -> ShopperHistory:
    return ShopperHistory().followed_by(sorted(acts, key=lambda act: act.at_s))


@given(st.lists(_ACTS, max_size=60))
def test_a_history_is_decoded_as_it_was_encoded(acts: list[Act]) -> None:
    history = folded(acts)
    decoded = decode_history(encode_history(history))
    assert decoded == history
    assert decoded is not None
    assert [list(one) for one in (decoded.products, decoded.categories, decoded.brands)] == [
        list(one) for one in (history.products, history.categories, history.brands)
    ], "in the same order"
    assert decoded.recent.maxlen == decoded.session.maxlen == RECENT


@given(st.lists(_ACTS, max_size=20), st.lists(_ACTS, max_size=20))
def test_a_decoded_history_goes_on_like_the_first(before: list[Act], after: list[Act]) -> None:
    history = folded(before)
    later = sorted(after, key=lambda act: act.at_s)
    last_s = max((act.at_s for act in before), default=0.0)
    later = [act for act in later if act.at_s >= last_s]
    decoded = decode_history(encode_history(history))
    assert decoded is not None
    assert decoded.followed_by(later) == history.followed_by(later)


def test_bytes_of_another_format_are_not_read() -> None:
    encoded = encode_history(ShopperHistory())
    assert decode_history(bytes([FORMAT + 1]) + encoded[1:]) is None
