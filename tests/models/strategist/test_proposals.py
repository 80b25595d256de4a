import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.strategist.proposals import Written, from_rows, to_rows
from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, Lever, Rounding, Strategy

ALLOWED = [
    Strategy(lever, anchor, move, rounding)
    for lever in Lever
    for anchor in ALLOWED_ANCHORS[lever]
    for move in ALLOWED_MOVES[lever]
    for rounding in (Rounding if move else (Rounding.EXACT,))
]
WRITTEN = st.lists(st.builds(Written, st.sampled_from(ALLOWED), st.floats(-50, 0)), max_size=8)


@given(WRITTEN)
def test_proposals_come_back_from_json_as_they_were(written: list[Written]) -> None:
    assert from_rows(json.loads(json.dumps(to_rows(written)))) == tuple(written)


@pytest.mark.parametrize(
    "row",
    [
        ["hold", "reference", 0, "exact"],
        ["hold", "reference", "0", "exact", -1.0],
        ["hold", "reference", 0, "exact", None],
        ["bribe", "reference", 0, "exact", -1.0],
        [["hold"], "reference", 0, "exact", -1.0],
        ["hold", "reference", 9, "exact", -1.0],
    ],
)
def test_malformed_proposals_are_refused(row: list[object]) -> None:
    with pytest.raises(ValueError, match=r"proposal|lever|move"):
        from_rows([row])
