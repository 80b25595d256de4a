"""Reasons are read from typed state: every way to hold the reference price is told as what it was."""

from dataclasses import replace

import pytest

from agent.domain.decision import Decision, Disclosure, HeldReason, Rung, TrailStep
from agent.explain.check import check
from agent.explain.decision_facts import cost_used, data_used, priced, reasoned
from agent.explain.facts import FactTable
from agent.explain.questions import Audience, Language, QuestionKind
from agent.explain.wording import join, sentences
from agent.rules.gateway import UNKNOWN_BOUNDS_RULE
from agent.rules.kill_switch import RULE
from tests.agent.store.builders import decision

TOLD = {
    HeldReason.OPTED_OUT: ("held.opted_out", "personalisation is off for this shopper", "已关闭个性化"),
    HeldReason.HELD_BY_MERCHANT: ("held.held_by_merchant", "the merchant holds all prices", "商家暂停了所有调价"),
    HeldReason.NOT_IN_THIS_TRADE: ("held.not_in_this_trade", "in this trade are not personalised", "本行业"),
    HeldReason.UNKNOWN_COST: ("held.unknown_cost", "neither cost nor floor is known", "成本和底价都未知"),
    HeldReason.BARRED_BY_LAW: ("held.barred_by_law", "allows no personal prices", "不允许"),
    HeldReason.COST_NOT_COVERED: ("held.cost_not_covered", "does not cover the cost", "不足以弥补成本"),
    HeldReason.NO_TIME: ("held.no_time", "the deadline left no time", "来不及"),
    HeldReason.NOTHING_BETTER: ("reason.hold", "no move away", "并不划算"),
    HeldReason.NOT_SURE: ("reason.abstained", "not sure enough", "没有足够把握"),
    HeldReason.CONTROL: ("reason.control", "drawn by chance", "随机抽取"),
}


def held(reason: HeldReason | None, **changes: object) -> Decision:
    """A decision at the reference price; its rationale says nothing that code may read."""
    looked = reason is not None and reason.is_chosen
    base = decision(
        held=reason,
        price_minor=299,
        reference_minor=299,
        trail=(),
        rung=Rung.MODEL if looked else Rung.REFERENCE,
        rationale="personalisation is off; a move was proposed; no time was left for more",
        personalised=False,
        disclosure=Disclosure(False, "The same for everyone.", None, (), ()),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def table(one: Decision) -> FactTable:
    return FactTable.of(QuestionKind.WHY_PRICE, one.currency, [*priced(one), *reasoned(one), *data_used(one)])


def answer(one: Decision, language: Language) -> str:
    told = join([said.text for said in sentences(table(one), language, Audience.MERCHANT)], language)
    report = check(told, table(one), language, Audience.MERCHANT)
    assert report.passed, report.problems
    return told


def test_every_reason_has_its_words() -> None:
    assert set(TOLD) == set(HeldReason)


@pytest.mark.parametrize("reason", list(HeldReason))
def test_a_held_price_is_told_by_its_reason_whatever_its_rationale_says(reason: HeldReason) -> None:
    code, english, chinese = TOLD[reason]
    one = held(reason)
    assert [fact.value for fact in reasoned(one)] == [code]
    assert english in answer(one, Language.EN)
    assert chinese in answer(one, Language.ZH)


@pytest.mark.parametrize("reason", list(HeldReason))
def test_the_checker_refuses_another_reason_than_the_recorded_one(reason: HeldReason) -> None:
    own, other = held(reason), held(next(one for one in HeldReason if one is not reason))
    for language in Language:
        report = check(answer(other, language), table(own), language, Audience.MERCHANT)
        assert not report.passed


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trail": (TrailStep(RULE, 270, 299, "stock take"),), "scores": None}, "held.held_by_merchant"),
        ({"trail": (TrailStep(UNKNOWN_BOUNDS_RULE, 270, 299, ""),), "scores": None}, "held.unknown_cost"),
        ({}, "held.unrecorded"),
    ],
    ids=["by the kill switch", "without cost", "for a reason that was not recorded"],
)
def test_a_decision_recorded_before_reasons_were_is_told_by_its_trail(changes: dict[str, object], code: str) -> None:
    assert [fact.value for fact in reasoned(held(None, **changes))] == [code]


def test_a_price_that_was_tried_out_is_told_as_such() -> None:
    one = decision(explored=True, trail=())
    assert [fact.value for fact in reasoned(one)] == ["reason.explored"]
    assert "tried out" in answer(one, Language.EN)
    assert "试行" in answer(one, Language.ZH)


def test_the_cost_is_the_recorded_one_and_only_where_it_entered() -> None:
    entered = Disclosure(True, "Set for you.", None, ("product.cost", "purchase_history"), ())
    assert cost_used(decision(cost_minor=161, disclosure=entered)) == 161
    assert cost_used(decision(cost_minor=161)) is None
    assert cost_used(decision(disclosure=entered)) is None
