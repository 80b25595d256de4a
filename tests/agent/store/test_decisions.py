import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.decision import Decision
from agent.store import PricedPair, Store
from tests.agent.store.builders import AT, decision, decisions

_SHOPPERS = st.none() | st.sampled_from(["s1", "s2"])
_MOMENTS = st.tuples(_SHOPPERS, st.sampled_from(["p1", "p2"]), st.integers(0, 3))


@given(st.lists(decisions, max_size=3, unique_by=lambda made: made.id))
@settings(  # the store only ever grows and every decision has its own id, so that examples may share it
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_decisions_read_equal_those_recorded(store: Store, made: list[Decision]) -> None:
    storable = [one for one in made if "\x00" not in f"{one.shopper_id}{one.product_id}{one.currency}"]
    fresh = [one for one in storable if store.decision(one.id) is None]

    store.record_decisions(fresh)

    assert [store.decision(one.id) for one in fresh] == fresh


def test_an_unknown_decision_is_none(store: Store) -> None:
    assert store.decision("nothing") is None


def test_a_decision_with_a_known_id_is_not_stored_and_the_others_of_its_batch_are(store: Store) -> None:
    store.record_decisions([decision(id="known", price_minor=1)])

    assert store.record_decisions([decision(id="new"), decision(id="known", price_minor=2)]) == {"known"}

    assert store.decision("new") == decision(id="new")
    assert store.decision("known") == decision(id="known", price_minor=1)


def test_acknowledged_decisions_survive_a_kill_and_no_batch_is_torn(store_url: str) -> None:
    command = [sys.executable, "-m", "tests.agent.store.crash_writer", store_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603 own code
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(25)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout.read().split()]

    assert writer.returncode == -signal.SIGKILL
    with Store.open(store_url) as store:
        for number in acknowledged:
            for part in range(3):
                assert store.decision(f"{number}-{part}") == decision(id=f"{number}-{part}")
        beyond = acknowledged[-1] + 1
        assert len({store.decision(f"{beyond}-{part}") is None for part in range(3)}) == 1


@given(st.lists(_MOMENTS, max_size=8))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_last_prices_are_those_of_the_latest_decision_of_each_pair(
    store: Store, moments: Sequence[tuple[str | None, str, int]]
) -> None:
    example = uuid4().hex  # examples share one store, so that each has products of its own
    expected: dict[PricedPair, tuple[int, int]] = {}
    for number, (shopper, product, minutes) in enumerate(moments):
        pair, at = (shopper, f"{product}-{example}"), AT + timedelta(minutes=minutes)
        made = decision(id=f"{example}-{number}", at=at, shopper_id=shopper, product_id=pair[1], price_minor=number)
        store.record_decisions([made])
        priced = (*pair, made.currency)
        expected[priced] = max(expected.get(priced, (0, 0)), (minutes, number))

    asked = [(shopper, f"{product}-{example}") for shopper in (None, "s1", "s2") for product in ("p1", "p2")]

    assert store.last_prices(asked) == {pair: number for pair, (_, number) in expected.items()}


def test_last_prices_of_many_pairs_come_in_one_call(store: Store) -> None:
    made = [
        decision(id=f"d{n}", product_id=f"p{n}", price_minor=n, shopper_id=None if n % 2 else "s") for n in range(40)
    ]
    store.record_decisions(made)

    prices = store.last_prices([(shopper, f"p{n}") for shopper in (None, "s") for n in range(1500)])

    assert prices == {(one.shopper_id, one.product_id, one.currency): one.price_minor for one in made}


def test_no_pairs_have_no_last_prices(store: Store) -> None:
    assert store.last_prices([]) == {}
