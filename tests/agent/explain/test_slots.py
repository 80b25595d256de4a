import pytest

from agent.explain.questions import Language, Slots, language_of
from agent.explain.slots import find_slots


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Why not $2.50?", {"amount_minor": 250}),
        ("Why not 1,299.00 USD?", {"amount_minor": 129_900}),
        ("Why wasn't 99 cents chosen?", {"amount_minor": 99}),
        ("为什么不是1.50？", {"amount_minor": 150}),
        ("如果竞争对手卖3元呢？", {"amount_minor": 300}),
        ("What if cost rose by 10 percent?", {"change_pct": 10.0}),
        ("What if a rival were 8% cheaper?", {"change_pct": -8.0}),
        ("成本下降百分之5会怎样？", {"change_pct": -5.0}),
        ("成本下降百分之十会怎样？", {"change_pct": -10.0, "amount_minor": None, "count": None}),
        ("如果成本上涨百分之十二点五呢？", {"change_pct": 12.5, "lower": False}),
        ("如果成本涨一成呢？", {"change_pct": 10.0}),
        ("如果竞争对手便宜一成五呢？", {"change_pct": -15.0}),
        ("如果库存减少三分之一呢？", {"change_pct": pytest.approx(-100 / 3)}),
        ("如果竞争对手打九折呢？", {"change_pct": -10.0, "lower": True}),
        ("对手打八五折会怎样？", {"change_pct": -15.0}),
        ("对手打8.5折会怎样？", {"change_pct": -15.0}),
        ("对手打95折会怎样？", {"change_pct": -5.0}),
        ("如果对手半价出售呢？", {"change_pct": -50.0}),
        ("上个月的折扣怎么样？", {"change_pct": None}),
        ("成交的报价有多少？成本是多少？", {"change_pct": None}),
        ("为什么不是三块五？", {"amount_minor": 350}),
        ("如果成本是二十元呢？", {"amount_minor": 2_000, "change_pct": None}),
        ("如果只剩十二件呢？", {"count": 12}),
        ("如果库存有两万件呢？", {"count": 20_000}),
        ("如果库存翻倍呢？", {"factor": 2.0, "count": None}),
        ("What if we had only 5 left?", {"count": 5}),
        ("如果只剩5件库存会怎样？", {"count": 5}),
        ("Suppose inventory doubled.", {"factor": 2.0}),
        ("Why does shopper 718 get another price?", {"other": "718"}),
        ("为什么顾客718的价格不一样？", {"other": "718"}),
        (
            "Compare with quote 0190a2b4-1111-7000-8000-000000000001",
            {"other": "0190a2b4-1111-7000-8000-000000000001"},
        ),
        ("How did discounts on frozen pizzas do last month?", {"category": "FROZEN PIZZA"}),
    ],
)
def test_what_a_question_names_is_found(text: str, expected: dict[str, object]) -> None:
    found = find_slots(text, "USD", ["PIZZA", "FROZEN PIZZA", ""])
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_question_that_names_nothing_has_empty_slots() -> None:
    assert find_slots("Why this price?", "USD") == Slots()


def test_an_amount_beyond_what_money_can_be_is_left_out() -> None:
    assert find_slots(f"Why not {'9' * 30} USD?", "USD").amount_minor is None


@pytest.mark.parametrize(
    ("text", "language"), [("Why 价?", Language.EN), ("为什么", Language.ZH), ("why", Language.EN)]
)
def test_language_is_that_of_the_question(text: str, language: Language) -> None:
    assert language_of(text) is language
