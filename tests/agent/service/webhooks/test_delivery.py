"""Messages are signed, delivered once, retried with backoff, and given up in the end."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from standardwebhooks import Webhook

from agent.domain.clock import FixedClock
from agent.service.webhooks import WebhookDispatcher
from agent.store import Store
from agent.store.webhook_messages import MAX_ATTEMPTS, WebhookEvent, backoff_s, of_models
from tests.agent.store.builders import decision

LEASE = timedelta(seconds=60)
ALL = tuple(WebhookEvent)


@dataclass(slots=True)
class Receiver:
    """A server on loopback with scripted answers."""

    port: int = 0
    status: int = 204
    location: str = ""
    seen: list[tuple[dict[str, str], str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?shop=1"


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            receiver.seen.append(({**dict(self.headers), ":path": self.path}, body))
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def store(store_url: str, clock: FixedClock) -> Iterator[Store]:
    with Store.open(store_url, clock) as opened:
        yield opened


@contextmanager
def courier(store: Store, clock: FixedClock, **options: object) -> Iterator[WebhookDispatcher]:
    made = WebhookDispatcher(store, clock, **{"private": True, **options})  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def quote(store: Store, clock: FixedClock, number: int = 1) -> None:
    store.record_decisions([decision(id=f"d{number}", at=clock.now())])


def test_messages_about_a_quote_and_its_rules_are_signed_and_impersonal(
    store: Store, clock: FixedClock, receiver: Receiver
) -> None:
    hook = store.add_webhook(receiver.url, ALL, clock.now())
    quote(store, clock)
    with courier(store, clock) as one:
        assert one.deliver_due() == 2
        assert one.deliver_due() == 0
    told = {}
    for headers, body in receiver.seen:
        lower = {name.lower(): value for name, value in headers.items()}
        told[Webhook(hook.secret).verify(body, lower)["type"]] = json.loads(body)["data"]
        assert headers[":path"] == "/hooks?shop=1"
        assert "s1" not in body
    assert told["quote.created"]["price_minor"] == 279
    assert told["rule.bound"]["rules"] == [{"rule": "floor", "from_minor": 270, "to_minor": 279}]


def test_a_webhook_gets_only_its_events_and_only_after_registration(
    store: Store, clock: FixedClock, receiver: Receiver
) -> None:
    quote(store, clock, 1)
    store.add_webhook(receiver.url, [WebhookEvent.RULE_BOUND], clock.now())
    quote(store, clock, 2)
    store.record_decisions([decision(id="d3", trail=())])
    store.enqueue([of_models({"encoder": "v2"}, "mark", clock.now())], clock.now())
    with courier(store, clock) as one:
        one.deliver_due()
    assert [json.loads(body)["data"]["quote_id"] for _, body in receiver.seen] == ["d2"]


def test_an_activation_that_several_processes_notice_is_sent_once(
    store: Store, clock: FixedClock, receiver: Receiver
) -> None:
    store.add_webhook(receiver.url, ALL, clock.now())
    for _ in range(3):
        store.enqueue([of_models({"encoder": "v2"}, "same", clock.now())], clock.now())
    with courier(store, clock) as one:
        assert one.deliver_due() == 1


def test_a_decision_that_is_not_stored_sends_no_message(store: Store, clock: FixedClock) -> None:
    hook = store.add_webhook("http://127.0.0.1:9/", ALL, clock.now())
    for _ in range(2):  # the second time its id is known
        quote(store, clock)
    assert store.webhook_backlog(hook.webhook_id).waiting == 2


@pytest.mark.parametrize("status", [500, 302, 404, 429])
def test_a_failed_message_is_retried_with_backoff_and_given_up(
    store: Store, clock: FixedClock, receiver: Receiver, status: int
) -> None:
    receiver.status, receiver.location = status, f"http://127.0.0.1:{receiver.port}/elsewhere"
    hook = store.add_webhook(receiver.url, [WebhookEvent.QUOTE_CREATED], clock.now())
    quote(store, clock)
    with courier(store, clock) as one:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            assert one.deliver_due() == 0
            assert len(receiver.seen) == attempt
            one.deliver_due()
            assert len(receiver.seen) == attempt, "not before its time"
            wait_s = backoff_s(attempt)
            clock.at += timedelta(seconds=wait_s or 10**6)
        one.deliver_due()
    backlog = store.webhook_backlog(hook.webhook_id)
    assert (backlog.waiting, backlog.given_up, backlog.trouble) == (0, 1, f"answered {status}")
    assert all(headers[":path"] == "/hooks?shop=1" for headers, _ in receiver.seen), "no redirect is followed"
    assert len({headers["webhook-id"] for headers, _ in receiver.seen}) == 1
    assert store.purge_given_up(clock.now() + timedelta(days=1)) == 1


def test_after_a_while_a_receiver_that_is_back_gets_what_it_missed(store: Store, clock: FixedClock) -> None:
    with receiving() as receiver:
        url = receiver.url
    hook = store.add_webhook(url, [WebhookEvent.QUOTE_CREATED], clock.now())
    quote(store, clock)
    with courier(store, clock) as one:
        assert one.deliver_due() == 0
        assert store.webhook_backlog(hook.webhook_id).trouble == "ConnectError"


def test_a_process_that_dies_with_a_message_under_way_leaves_it_to_another(
    store: Store, clock: FixedClock, receiver: Receiver
) -> None:
    store.add_webhook(receiver.url, [WebhookEvent.QUOTE_CREATED], clock.now())
    quote(store, clock)
    assert len(store.webhooks_due(clock.now(), LEASE, 10)) == 1, "taken, and never heard of again"
    with courier(store, clock) as other:
        assert other.deliver_due() == 0
        clock.at += LEASE
        assert other.deliver_due() == 1


def test_a_receiver_that_answers_gone_is_removed(store: Store, clock: FixedClock, receiver: Receiver) -> None:
    receiver.status = 410
    store.add_webhook(receiver.url, ALL, clock.now())
    quote(store, clock)
    with courier(store, clock) as one:
        one.deliver_due()
    assert store.webhooks() == []
    assert store.webhooks_due(clock.now() + timedelta(days=1), LEASE, 10) == []


def test_a_host_that_resolves_to_loopback_at_delivery_is_not_connected_to(
    store: Store, clock: FixedClock, receiver: Receiver
) -> None:
    """DNS rebinding: public when it was registered, loopback when it is used."""

    def rebound(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    hook = store.add_webhook(f"https://rebinding.example:{receiver.port}/", ALL, clock.now())
    quote(store, clock)
    with courier(store, clock, private=False, resolve=rebound) as one:
        assert one.deliver_due() == 0
    assert receiver.seen == []
    assert "resolves to 127.0.0.1" in (store.webhook_backlog(hook.webhook_id).trouble or "")


def test_the_connection_goes_to_the_address_that_was_checked(
    store: Store, clock: FixedClock, receiver: Receiver
) -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    store.add_webhook(f"http://shop.example:{receiver.port}/", [WebhookEvent.QUOTE_CREATED], clock.now())
    quote(store, clock)
    with courier(store, clock, resolve=resolve) as one:
        assert one.deliver_due() == 1
    assert asked == ["shop.example"], "resolved once, so that check and use cannot differ"
    assert receiver.seen[0][0]["Host"] == f"shop.example:{receiver.port}"
