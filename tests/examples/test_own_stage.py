import re
from dataclasses import replace

import pytest

from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from examples.own_stage import MostProfit, main
from tests.prepared import World


def test_both_selections_are_shown_and_nothing_is_recorded(
    own: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = own.decisions()
    monkeypatch.setattr("sys.argv", ["own_stage.py", "--data-dir", str(own.folder), "--product", own.bought])
    assert main() == 0
    prices = re.findall(r"^(shipped|own): price (\d+), reference (\d+)", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _, _ in prices] == ["shipped", "own"]
    assert own.decisions() == before


def test_the_stage_takes_the_highest_profit_within_what_shoppers_like(own: World) -> None:
    service = own.service()
    try:
        pipeline = service._parts.pipeline.counterfactual()
        asked = QuoteRequest.model_validate({"product": {"id": own.never_bought}})
        answers = {}
        for name, selector in {"all": MostProfit(0.0), "liked": MostProfit(0.98)}.items():
            found = replace(pipeline, selector=selector).quote([asked], service._parts.clock.now())[0]
            assert isinstance(found, Decision)
            answers[name] = found
    finally:
        service.close()
    profits = [one.scores.profit.value for one in answers["all"].candidates]
    chosen = {name: next(one for one in found.candidates if one.chosen) for name, found in answers.items()}
    assert chosen["all"].scores.profit.value == max(profits)
    best = max(one.scores.satisfaction.value for one in answers["liked"].candidates)
    assert chosen["liked"].scores.satisfaction.value >= 0.98 * best
    assert chosen["liked"].scores.profit.value <= max(profits)
    assert all(found.propensity == 1.0 for found in answers.values())
