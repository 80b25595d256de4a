"""Group results and the probe, on data with known answers."""

import numpy as np
import pytest

from eval.fairness.groups import Quotes, by_group, surplus_under
from eval.fairness.probe import probe
from eval.fairness.simulated import Neighbourhoods


def quotes(gap: float) -> Quotes:
    rng = np.random.default_rng(3)
    shopper = np.repeat(np.arange(200), 4)
    women = shopper % 2 == 0
    price = 1.0 - 0.1 * rng.random(800) - gap * women
    labels = ["female" if one else "male" for one in women]
    return Quotes(shopper, price, 2.0 - price, {"sex": labels, "unknown": [""] * 800})


@pytest.mark.parametrize("gap", [0.0, 0.04])
def test_the_interval_of_a_gap_covers_the_true_gap_and_excludes_zero_only_if_there_is_one(gap: float) -> None:
    lines = {line.group: line for line in by_group("shop", quotes(gap))}
    assert set(lines) == {"female", "male"}
    found = lines["female"].price_gap
    assert found.low <= -gap <= found.high
    assert (found.high < 0) == (gap > 0)
    assert lines["male"].price_gap.value == pytest.approx(-found.value)
    assert lines["female"].surplus_gap.value == pytest.approx(-found.value)
    assert lines["female"].above.value == 0


def test_surplus_is_the_area_under_the_demand_curve() -> None:
    assert surplus_under([np.array([1.0, 2.0, 3.0])], [np.array([1.0, 0.5, 0.0])]).tolist() == [1.0]


def test_the_probe_detects_an_encoded_attribute_and_is_at_chance_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.fairness.probe._RESAMPLES", 100)  # the claim needs no more digits of the interval
    rng = np.random.default_rng(5)
    labels = np.arange(800) % 2
    texts = [f"likes {'tea' if label else 'coffee'} {rng.integers(9)}" for label in labels]
    states = rng.normal(size=(800, 16)).astype(np.float32)
    informative = states.copy()
    informative[:, 0] += 4 * labels
    encoded = probe("x", "told", texts, labels, lambda _texts: informative)
    absent = probe("x", "told", texts, labels, lambda _texts: states)
    assert encoded.encoder_low > 0.9
    assert encoded.words > 0.95
    assert abs(absent.encoder - 0.5) < 0.12
    assert abs(absent.shuffled - 0.5) < 0.1


def test_gender_correlates_with_segment_and_postcode_with_gender_in_the_simulated_shop() -> None:
    visits = Neighbourhoods(1).visits(2_000)
    women = np.asarray([visit.traits["gender"] == "female" for visit in visits])
    company = np.asarray([visit.traits["segment"] == "company" for visit in visits])
    north = np.asarray([visit.traits["postcode"] == "48009" for visit in visits])
    assert company[~women].mean() > 1.5 * company[women].mean()
    assert north[~women].mean() > 0.7 > 0.3 > north[women].mean()
