from hypothesis import given
from hypothesis import strategies as st

from models.evaluator.promotion import PROMOTION, STATES, promotion_flags, promotion_states

FLAGS = st.lists(st.tuples(st.none() | st.booleans(), st.none() | st.booleans()), min_size=1, max_size=9)


@given(FLAGS)
def test_a_promotion_has_one_state_a_kind_and_none_where_nothing_is_known(rows: list[tuple[bool | None, ...]]) -> None:
    flags = promotion_flags([(row[0], row[1]) for row in rows])
    states = promotion_states(flags)
    assert states.shape == (len(rows), len(STATES))
    for row, flag, state in zip(rows, flags, states, strict=True):
        told = dict(zip(STATES, state, strict=True))
        for name, value in zip(PROMOTION, row, strict=True):
            assert (told[name], told[f"no_{name}"]) == (float(value is True), float(value is False))
        assert told["display_and_mailer"] == float(row == (True, True))
        assert flag.any() == any(value is not None for value in row)
