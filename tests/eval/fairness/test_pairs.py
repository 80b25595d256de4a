"""Parity of paired shoppers with a fair pricer and with a deliberately biased one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.rules.packs import load_pack, may_mention, protected_attributes
from agent.service.service import Service
from eval.fairness import run
from eval.fairness.demo import DemoShop, open_demo
from eval.fairness.mentions import labelled_texts, measure
from eval.fairness.pairs import PROTECTED, PROXY, Pricer, compare, pair_file
from eval.fairness.report import FairnessReport, regressions
from tests.prepared import World


@pytest.fixture
def shop(service: Service) -> DemoShop:
    return open_demo(service._parts, load_pack("ecommerce"), 2, 2)


def biased(fair: Pricer, percent: int) -> Pricer:
    """Charge women more by reading the unscreened request."""

    def price(requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        answers = []
        for request, answer in zip(requests, fair(requests), strict=True):
            profile = request.shopper.profile
            woman = isinstance(profile, dict) and profile.get("gender") == "female"
            if woman and isinstance(answer, Decision):
                answer = replace(answer, price_minor=answer.price_minor + answer.reference_minor * percent // 100)
            answers.append(answer)
        return answers

    return price


def report(shop: DemoShop, pricer: Pricer) -> FairnessReport:
    return FairnessReport(compare("demo store", list(shop.pairs()), pricer), [], [], [])


def test_protected_attributes_change_no_price_and_proxies_are_reported(shop: DemoShop) -> None:
    found = report(shop, shop.price)
    assert regressions(found) == []
    tested = {(line.name, line.form) for line in found.pairs if line.kind == PROTECTED}
    assert tested == {
        (name, form) for name in protected_attributes() for form in ("field", "text", "Chinese text", "search")
    }
    assert all(line.differing == 0 and line.largest_pct == 0 for line in found.pairs if line.kind == PROTECTED)
    assert {line.name for line in found.pairs if line.kind == PROXY} == set(pair_file().proxies)


def test_a_policy_that_charges_women_more_fails_parity(shop: DemoShop) -> None:
    found = report(shop, biased(shop.price, 3))
    (line,) = [line for line in found.pairs if line.differing and line.kind == PROTECTED]
    assert (line.name, line.form, line.differing) == ("sex", "field", line.pairs)
    assert 2 < line.gap_pct.low <= line.gap_pct.value <= line.gap_pct.high < 4
    (lost,) = regressions(found)
    assert "sex stated as field changed 2 of 2 prices" in lost


def test_prices_that_all_equal_the_reference_price_fail(shop: DemoShop) -> None:
    def hold_reference(requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        return [
            replace(a, price_minor=a.reference_minor) if isinstance(a, Decision) else a for a in shop.price(requests)
        ]

    assert "the pairs show nothing" in regressions(report(shop, hold_reference))[0]


@pytest.mark.slow  # two whole evaluations, a simulated shop learned in each
def test_the_command_exits_with_one_for_a_biased_policy_and_writes_its_report(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICESMITH_LANGUAGE_MODEL", "false")
    monkeypatch.setattr(run, "QUICK", run.Size(2, 24, 2, 60, 40))
    fair = DemoShop.price
    own = world.copy(tmp_path / "data")
    arguments = ["eval", "fairness", "--quick", "--data-dir", str(own.folder), "--out", str(tmp_path)]
    good = CliRunner().invoke(app, arguments)
    assert good.exit_code == 0, good.output
    assert "Parity holds." in (tmp_path / "fairness.html").read_text()
    assert (tmp_path / "fairness.json").stat().st_size > 1_000
    monkeypatch.setattr(DemoShop, "price", lambda self, requests: biased(lambda r: fair(self, r), 3)(requests))
    bad = CliRunner().invoke(app, arguments)
    assert bad.exit_code == 1
    assert "Broken: demo store: sex stated as field" in (tmp_path / "fairness.html").read_text()


def test_mentions_are_detected_in_hand_written_texts() -> None:
    tuned = measure([one for one in labelled_texts() if not one.held_out])
    assert tuned.recall >= 0.98, tuned.missed
    assert tuned.precision >= 0.97, tuned.false_positives
    held_out = measure([one for one in labelled_texts() if one.held_out])
    assert held_out.recall >= 0.93, held_out.missed
    assert held_out.precision >= 0.63, held_out.false_positives


def test_the_prefilter_rejects_no_text_in_which_an_attribute_is_detected() -> None:
    for one in labelled_texts():
        if any(attribute.in_text(one.text) for attribute in protected_attributes().values()):
            assert may_mention(one.text), one.text
