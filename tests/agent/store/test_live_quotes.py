"""At most one live quote for a shopper, product and quantity, on both databases."""

import gc
import subprocess
import sys
from datetime import timedelta

from agent.domain.records import OutcomeType
from agent.store import Claim, QuoteKey, Store
from tests.agent.store.builders import AT, decision, outcome

KEY = QuoteKey("s1", "p1", 1)
HOLD = Claim(holds=True)


def standing(store: Store, minutes: int = 0) -> int | None:
    found = store.live_quotes([KEY], AT + timedelta(minutes=minutes))
    return found[KEY].price_minor if KEY in found else None


def test_a_price_is_live_until_its_quote_ends(store: Store) -> None:
    assert store.record_decisions([decision()], claims=[HOLD]) == frozenset()
    assert [standing(store, minutes) for minutes in (0, 14, 15)] == [279, 279, None]
    assert store.live_quotes([QuoteKey("s1", "p1", 2), QuoteKey("s2", "p1", 1), QuoteKey("s1", "p2", 1)], AT) == {}
    assert store.purge_live_quotes(AT) == 0
    assert store.purge_live_quotes(AT + timedelta(hours=1)) == 1


def test_another_price_for_a_live_quote_is_late_and_not_stored(store: Store) -> None:
    store.record_decisions([decision()], claims=[HOLD])
    made = [decision(id="other", price_minor=200), decision(id="same"), decision(id="two", quantity=2, price_minor=200)]
    assert store.record_decisions(made, claims=[HOLD] * 3) == {"other"}
    assert (store.decision("other"), standing(store)) == (None, 279)
    assert [store.decision(key) for key in ("same", "two")] == made[1:]


def test_two_prices_for_the_same_in_one_batch_cannot_both_be_live(store: Store) -> None:
    made = [decision(id="a", price_minor=200), decision(id="b", price_minor=201)]
    assert store.record_decisions(made, claims=[HOLD] * 2) == {"b"}
    assert standing(store) == 200


def test_a_live_quote_is_replaced_by_a_decision_that_knew_it(store: Store) -> None:
    store.record_decisions([decision()], claims=[HOLD])
    dearer = decision(id="dearer", price_minor=290)
    assert store.record_decisions([dearer], claims=[Claim(holds=True, replaces="decision-1")]) == frozenset()
    assert standing(store) == 290
    again = decision(id="again", price_minor=300)
    assert store.record_decisions([again], claims=[Claim(holds=True, replaces="decision-1")]) == {"again"}


def test_opting_out_ends_the_live_quote(store: Store) -> None:
    store.record_decisions([decision()], claims=[HOLD])
    store.record_decisions([decision(id="out", price_minor=299)], claims=[Claim(holds=False)])
    assert standing(store) is None


def test_a_purchase_ends_the_live_quote_and_a_decline_does_not(store: Store) -> None:
    store.record_decisions([decision()], claims=[HOLD])
    store.record_outcomes([outcome(outcome_id="no", quote_id="decision-1", type=OutcomeType.DECLINED)])
    assert standing(store) == 279
    store.record_outcomes([outcome(quote_id="decision-1")])
    assert standing(store) is None


def test_an_erased_shopper_leaves_no_live_quote(store: Store) -> None:
    store.record_decisions([decision()], claims=[HOLD])
    store.erase_shopper("s1")
    assert standing(store) is None


def test_of_processes_that_quote_at_once_one_price_is_live(store_url: str) -> None:
    with Store.open(store_url):
        pass
    code = (
        "import sys\n"
        "from agent.store import Claim, Store\n"
        "from tests.agent.store.builders import decision\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    for n in range(20):\n"
        "        made = decision(id=f'{sys.argv[2]}-{n}', shopper_id=f's{n}', price_minor=100 + int(sys.argv[2]))\n"
        "        print(len(store.record_decisions([made], claims=[Claim(holds=True)])))\n"
    )
    run = [sys.executable, "-c", code, store_url]
    started = [subprocess.Popen([*run, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)]  # noqa: S603 own code
    late = [process.communicate(timeout=120)[0].split() for process in started]
    assert sum(row.count("0") for row in late) == 20, "one winner for each shopper"
    with Store.open(store_url) as store:
        assert len(list(store.logged())) == 20


def test_what_every_quote_looks_up_leaves_nothing_to_the_collector(store: Store) -> None:
    """Statements built for a call contain reference cycles of some hundred objects, and cause collector pauses."""

    def look() -> None:
        store.live_quotes([KEY, QuoteKey("s2", "p1", 1)], AT)
        store.last_prices([("s1", "p1"), (None, "p1")])
        store.prices_shown([("s1", "p1")], AT)

    store.record_decisions([decision()], claims=[HOLD])
    look()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            look()
        assert gc.collect() < 200
    finally:
        gc.enable()
