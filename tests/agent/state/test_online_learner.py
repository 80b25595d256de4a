import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord, OutcomeType
from agent.domain.request import QuoteRequest
from agent.pricing.flow import Observation
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from agent.state.online_learner import Learner, labels
from tests.prepared import World

BOUGHT, DECLINED, RETURNED = OutcomeType.PURCHASED, OutcomeType.DECLINED, OutcomeType.RETURNED


@pytest.fixture
def running(own: World) -> Iterator[Service]:
    service = own.service()
    yield service
    service.close()


def request(world: World, **profile: Any) -> QuoteRequest:
    shopper = {"id": world.shopper, **({"profile": profile} if profile else {})}
    return QuoteRequest.model_validate({"shopper": shopper, "product": {"id": world.bought}})


def quote(service: Service, asked: QuoteRequest) -> Decision:
    answer = service.quote([asked])[0]
    assert isinstance(answer, Decision), answer
    return answer


def report(service: Service, decision: Decision, *types: OutcomeType) -> None:
    at = decision.at + timedelta(minutes=1)
    for number, kind in enumerate(types):
        service.add_outcomes([OutcomeReport(decision.id, kind, None, at + timedelta(minutes=number))])


def learner(service: Service) -> Learner:
    return service._parts.learner


def state(of: Learner) -> dict[str, bytes]:
    arrays = {name: array.tobytes() for name, array in of.effects.to_arrays().items()}
    return {**arrays, "names": "\n".join(of.effects.names).encode(), "watermark": str(of.watermark).encode()}


def probability(decision: Decision) -> float:
    """Of a purchase at the reference price, wherever the chosen one lies."""
    held = next(c for c in decision.candidates if c.price_minor == decision.reference_minor)
    return held.scores.purchase_probability.value


def test_sales_make_the_next_sale_likelier_and_declines_less_likely(running: Service, own: World) -> None:
    asked = request(own, region="north")
    start = probability(quote(running, asked))
    for _ in range(3):
        report(running, quote(running, asked), BOUGHT)
    sold = learner(running).shift([quote(running, asked).lesson.terms])  # type: ignore[union-attr]
    assert sold is not None
    assert sold.level[0] > 0
    for _ in range(12):
        report(running, quote(running, asked), DECLINED)
    declined = learner(running).shift([quote(running, asked).lesson.terms])  # type: ignore[union-attr]
    assert declined is not None
    assert declined.level[0] < sold.level[0]
    assert start > 0


def test_repeated_late_and_contradicting_reports_count_once_with_the_final_label(running: Service, own: World) -> None:
    asked = request(own)
    effects = learner(running).effects
    twice, late, returned, early_return = (quote(running, asked) for _ in range(4))
    report(running, twice, BOUGHT, BOUGHT)
    assert effects.lessons == 1
    report(running, late, DECLINED)
    low = effects.shift([late.lesson.terms], unseen=True).level[0]  # type: ignore[union-attr]
    report(running, late, BOUGHT)
    assert effects.shift([late.lesson.terms], unseen=True).level[0] > low  # type: ignore[union-attr]
    report(running, returned, BOUGHT)
    high = effects.shift([returned.lesson.terms], unseen=True).level[0]  # type: ignore[union-attr]
    report(running, returned, RETURNED)
    assert effects.shift([returned.lesson.terms], unseen=True).level[0] < high  # type: ignore[union-attr]
    report(running, early_return, RETURNED, BOUGHT)
    assert effects.lessons == 4


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([BOUGHT], [(None, True)]),
        ([DECLINED, BOUGHT], [(None, False), (False, True)]),
        ([BOUGHT, DECLINED], [(None, True), (True, True)]),
        ([BOUGHT, RETURNED], [(None, True), (True, False)]),
        ([RETURNED, BOUGHT], [(None, False), (False, False)]),
    ],
    ids=["bought", "came back", "late decline", "returned", "return before its purchase"],
)
def test_the_label_of_a_quote_follows_its_outcomes_in_any_order(
    types: list[OutcomeType], expected: list[tuple[bool | None, bool]]
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    base = OutcomeRecord("q:x", None, None, "USD", 100, 100, BOUGHT, 1, at, quote_id="q")
    outcomes = [replace(base, outcome_id=f"q:{kind}", type=kind) for kind in types]
    assert [labels(outcomes, one) for one in outcomes] == expected


def test_a_purchase_counts_until_all_of_its_units_are_returned() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    base = OutcomeRecord("q:1", None, None, "USD", 100, 100, BOUGHT, 5, at, quote_id="q")
    parts = [(BOUGHT, 2), (RETURNED, 1), (BOUGHT, 3), (RETURNED, 3), (RETURNED, 1)]
    outcomes = [replace(base, outcome_id=f"q:{n}", type=kind, quantity=units) for n, (kind, units) in enumerate(parts)]
    assert [labels(outcomes, one)[1] for one in outcomes] == [True, True, True, True, False]


def test_a_killed_service_resumes_to_the_same_state(own: World) -> None:
    first = own.service()
    for kind in (BOUGHT, DECLINED, BOUGHT):
        report(first, quote(first, request(own, region="south")), kind)
    learner(first).save()
    for kind in (DECLINED, BOUGHT):
        report(first, quote(first, request(own, region="south")), kind)
    before = state(learner(first))  # and nobody closes it
    resumed = own.service()
    assert state(learner(resumed)) == before
    resumed.close()
    shutil.rmtree(own.folder / "learning")
    replayed = own.service()
    assert state(learner(replayed)) == before
    replayed.close()
    first._parts.store.close()


def test_a_process_killed_while_it_learns_resumes_to_what_a_replay_of_its_log_gives(own: World) -> None:
    command = [sys.executable, "-m", "tests.agent.state.learning_writer", str(own.folder), own.bought]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603 - our own code
        assert writer.stdout is not None
        for _ in range(11):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split())])
    assert writer.returncode == -signal.SIGKILL
    resumed = own.service()
    after = state(learner(resumed))
    assert acknowledged <= learner(resumed).effects.lessons <= acknowledged + 1
    resumed.close()
    shutil.rmtree(own.folder / "learning")
    replayed = own.service()
    assert state(learner(replayed)) == after
    replayed.close()


def test_a_damaged_snapshot_is_replaced_by_a_replay(own: World) -> None:
    first = own.service()
    report(first, quote(first, request(own)), BOUGHT)
    before = state(learner(first))
    first.close()
    for file in (own.folder / "learning").rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-8])
    again = own.service()
    assert state(learner(again)) == before
    again.close()


def test_learning_takes_under_two_milliseconds_an_outcome(running: Service, own: World) -> None:
    decisions = [quote(running, request(own, region="east")) for _ in range(20)]
    report(running, decisions[0], BOUGHT)
    spent = []
    effects = learner(running).effects
    for decision in decisions:
        began = perf_counter()
        assert decision.lesson is not None
        effects.learn(decision.lesson, bought=True)
        spent.append(perf_counter() - began)
    assert float(np.median(spent)) < 2e-3


@pytest.mark.parametrize("cap", [None, 0.03])
def test_prices_shown_are_looked_up_where_the_merchant_limits_the_spread(own: World, cap: float | None) -> None:
    service = own.service(language_model=False, max_spread_frac=cap)
    asked = QuoteRequest.model_validate({"shopper": {"id": "shown here alone"}, "product": {"id": own.bought}})
    prices = [quote(service, asked).price_minor for _ in range(3)]
    other = QuoteRequest.model_validate({"shopper": {"id": "nobody yet"}, "product": {"id": own.bought}})
    seen, stranger = service._parts.pipeline.observer.read([asked, other], datetime.now(UTC))
    service.close()
    assert isinstance(seen, Observation)
    assert isinstance(stranger, Observation)
    assert stranger.shown is None
    if cap is None:
        assert seen.shown is None
    else:
        assert seen.shown is not None
        assert seen.shown.count == 3
        assert seen.shown.mean == pytest.approx(float(np.mean(prices)))


def test_words_and_numbers_of_the_context_become_inputs_and_are_screened(running: Service, own: World) -> None:
    asked = QuoteRequest.model_validate(
        {
            "product": {"id": own.bought},
            "context": {"channel": "app", "visits": 3, "religion": "none of your business"},
        }
    )
    decision = quote(running, asked)
    assert decision.lesson is not None
    names = {term.name for term in decision.lesson.terms}
    assert "context.channel=app" in names
    assert any(name.startswith("context.visits@") for name in names)
    assert not any("religion" in name for name in names)
    assert "context.channel" in decision.disclosure.inputs_used
    assert "context.religion" in [one.input for one in decision.disclosure.inputs_ignored]
