from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from agent.pricing.model_proposer import prompt_text
from models.errors import RegistryError
from models.strategist.facts import StrategistFacts
from models.strategist.files import NUMBERS_FILE
from models.strategist.numeric_head import FIELDS, N_FEATURES, NumericHead, numeric_features
from models.strategist.strategy import Lever
from prompts import load_prompt

PROMPT = load_prompt("strategist", 2)
STARTS = [sum(field.size for field in FIELDS[:place]) for place in range(len(FIELDS))]
LIST, LAST_PAID, RIVAL, COST, ELASTICITY, _, LESS, _, DEADLINE, QUANTITY, STOCK, SHOPPER, RISE = STARTS


def values(facts: StrategistFacts) -> list[float]:
    found: list[float] = numeric_features([prompt_text(PROMPT, facts)])[0].tolist()
    return found


KNOWN = StrategistFacts(
    category="tea",
    interest=0.3,
    lifts=(1.6, 1.25, 0.8),
    may_rise=True,
    cost_ratio=0.6,
    list_ratio=1.0,
    last_paid_ratio=0.85,
    rival_ratio=1.07,
    loyalty="lapsed",
    stock="deep",
    hours_left=96.0,
    quantity=12,
)


def test_every_field_of_the_served_prompt_is_parsed() -> None:
    found = values(KNOWN)
    assert [found[start] for start in (LIST, LAST_PAID, RIVAL, COST, ELASTICITY, LESS, DEADLINE, QUANTITY)] == [1.0] * 8
    assert found[LAST_PAID + 1] == pytest.approx(-0.5)
    assert found[RIVAL + 1] == pytest.approx(0.2)
    assert found[COST + 1] == pytest.approx(0.0)
    assert found[QUANTITY + 1] == 1.0
    assert found[STOCK : STOCK + 4] == [0, 0, 0, 1]
    assert found[SHOPPER : SHOPPER + 4] == [0, 0, 0, 1]
    assert found[RISE : RISE + 2] == [1, 0]


def test_unknown_fields_are_zeros_and_the_others_are_parsed() -> None:
    found = values(StrategistFacts(category="", interest=0.0, lifts=(1.2, 1.1, 0.9), may_rise=False))
    for start, field in zip(
        (LAST_PAID, RIVAL, COST, DEADLINE), (FIELDS[1], FIELDS[2], FIELDS[3], FIELDS[8]), strict=True
    ):
        assert found[start : start + field.size] == [0.0] * field.size
    assert found[LESS] == 1.0
    assert found[RISE : RISE + 2] == [0, 1]


@given(st.floats(0.0, 3.0))
def test_hat_functions_of_a_number_add_up_to_one_and_at_most_two_are_positive(rival: float) -> None:
    field = FIELDS[2]
    text = prompt_text(PROMPT, StrategistFacts("tea", 0.3, (1.6, 1.25, 0.8), may_rise=True, rival_ratio=rival))
    known, value, *hats = field.values(text)
    assert known == 1.0
    assert -1 <= value <= 1
    assert sum(hats) == pytest.approx(1)
    assert sum(weight > 0 for weight in hats) <= 2


@given(st.text(max_size=200))
def test_any_text_has_finite_features(text: str) -> None:
    found = numeric_features([text])
    assert found.shape == (1, N_FEATURES)
    assert bool(found.isfinite().all())


def test_a_new_head_changes_no_logits_and_a_saved_one_loads_unchanged(tmp_path: Path) -> None:
    torch.manual_seed(2)
    head = NumericHead(16)
    features, position = numeric_features([prompt_text(PROMPT, KNOWN)]), torch.tensor([[2, -1]])
    logits, levers = torch.randn(1, 2, len(Lever)), slice(0, len(Lever))
    torch.testing.assert_close(head.combine(logits, head(features, position, position), levers), logits)
    for parameter in head.parameters():
        parameter.data.normal_()
    head.save(tmp_path)
    again = NumericHead.load(tmp_path)
    torch.testing.assert_close(
        again(features, position, position), head(features, position, position), atol=0.05, rtol=0.01
    )
    state = load_file(str(tmp_path / NUMBERS_FILE))
    save_file({name: tensor for name, tensor in state.items() if name != "out.bias"}, str(tmp_path / NUMBERS_FILE))
    with pytest.raises(RegistryError, match="train the strategist again"):
        NumericHead.load(tmp_path)
