import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from models.datasets.complete_journey_promotions import promotions

CELLS = st.tuples(
    st.integers(1, 4), st.integers(300, 302), st.integers(1, 3), st.sampled_from("05A"), st.sampled_from("0AD")
)
COLUMNS = ["product_id", "store_id", "week", "display_location", "mailer_location"]


@given(st.lists(CELLS, max_size=20), st.sets(st.tuples(st.integers(300, 302), st.integers(1, 3))))
def test_flags_say_yes_no_or_not_known(cells: list[tuple[int, int, int, str, str]], seen: set[tuple[int, int]]) -> None:
    rows = pd.DataFrame(cells, columns=COLUMNS).astype(dict.fromkeys(COLUMNS[:3], int))
    places = seen | {cell[1:3] for cell in cells}
    observed = pd.DataFrame(sorted(places), columns=["store_id", "week"]).astype(int)
    asked = [
        (product, *place) for product in range(1, 6) for place in [(s, w) for s in range(300, 303) for w in (1, 3)]
    ]
    found = promotions(rows, observed).flags(*(np.asarray(part, np.int64) for part in zip(*asked, strict=True)))
    for (product, store, week), flags in zip(asked, found, strict=True):
        here = [cell[3:] for cell in cells if cell[:3] == (product, store, week)]
        told = [1 if any(row[kind] != "0" for row in here) else -1 for kind in (0, 1)]
        assert flags.tolist() == (told if (store, week) in places else [0, 0])
