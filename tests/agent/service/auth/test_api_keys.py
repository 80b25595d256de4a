from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.clock import FixedClock
from agent.service.auth.api_keys import ApiKeyError, CreatedKey, KeyRing, Scope
from agent.store import Store

_BOOTSTRAP = "bootstrap-key-of-the-settings"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def store(empty_store: Path, clock: FixedClock) -> Iterator[Store]:
    with Store.open(f"sqlite:///{empty_store}/store.db", clock) as opened:
        yield opened


@pytest.fixture
def ring(store: Store, clock: FixedClock) -> KeyRing:
    return KeyRing(store, clock, _BOOTSTRAP)


@pytest.fixture
def created(ring: KeyRing) -> CreatedKey:
    return ring.create("till", {Scope.QUOTES, Scope.OUTCOMES})


def test_a_created_key_is_verified(ring: KeyRing, created: CreatedKey) -> None:
    verified = ring.verify(created.text)

    assert verified == created.key
    assert verified is not None
    assert verified.scopes == {Scope.QUOTES, Scope.OUTCOMES}


def test_a_key_names_its_id_and_carries_192_bits_or_more(created: CreatedKey) -> None:
    prefix, key_id, secret = created.text.split("_", 2)

    assert (prefix, key_id) == ("ps", created.key.key_id)
    assert len(secret) * 6 >= 192


def test_the_secret_is_never_stored(tmp_path: Path, ring: KeyRing, created: CreatedKey) -> None:
    secret = created.text.split("_", 2)[2].encode()
    ring.verify(created.text)
    ring.verify(_BOOTSTRAP)

    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert created.key.key_id.encode() in stored
    assert secret not in stored
    assert _BOOTSTRAP.encode() not in stored


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text.replace("ps_", "px_"),
        lambda text: text.replace("_", "-"),
        lambda text: text.upper(),
        lambda text: "ps_unknown_" + text.split("_", 2)[2],
        lambda text: "",
        lambda text: "ps_",
        lambda text: "ps__",
        lambda text: "ps_\x00_secret",
        lambda text: "ps_\ud800_secret",
    ],
)
def test_any_other_text_is_refused(ring: KeyRing, created: CreatedKey, spoil: object) -> None:
    assert callable(spoil)
    assert ring.verify(spoil(created.text)) is None


def test_a_verified_key_costs_no_query_within_the_time_to_live(
    ring: KeyRing, created: CreatedKey, store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ring.verify(created.text) is not None

    def refuse(*_: object) -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(store, "key", refuse)
    clock.at += timedelta(seconds=4.9)
    assert ring.verify(created.text) is not None
    clock.at += timedelta(seconds=0.1)
    with pytest.raises(AssertionError, match="asked"):
        ring.verify(created.text)


def test_memory_alone_knows_a_key_once_verified_until_it_ages_is_revoked_or_expires(
    ring: KeyRing, created: CreatedKey, store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ring.create("short", {Scope.QUOTES}, clock.at + timedelta(seconds=2)).text
    assert ring.verified(created.text) is None
    verified = ring.verify(created.text)
    assert ring.verify(short) is not None

    with monkeypatch.context() as patched:
        patched.setattr(store, "key", None)
        assert ring.verified(created.text) == verified
        assert ring.verified(created.text + "x") is None
        clock.at += timedelta(seconds=2)
        assert ring.verified(short) is None
        clock.at += timedelta(seconds=3)
        assert ring.verified(created.text) is None
    assert ring.verify(created.text) is not None
    assert ring.verified(created.text) is not None
    ring.revoke(created.key.key_id)
    assert ring.verified(created.text) is None


def test_a_revocation_is_effective_at_once_here_and_within_seconds_elsewhere(
    ring: KeyRing, created: CreatedKey, store: Store, clock: FixedClock
) -> None:
    elsewhere = KeyRing(store, clock)
    assert elsewhere.verify(created.text) is not None
    assert ring.verify(created.text) is not None

    assert ring.revoke(created.key.key_id)

    assert ring.verify(created.text) is None
    clock.at += timedelta(seconds=5)
    assert elsewhere.verify(created.text) is None


def test_a_key_is_revoked_once(ring: KeyRing, created: CreatedKey) -> None:
    assert ring.revoke(created.key.key_id)
    assert not ring.revoke(created.key.key_id)
    assert not ring.revoke("unknown")


def test_an_expiry_cuts_off_to_the_moment_even_a_cached_key(ring: KeyRing, clock: FixedClock) -> None:
    text = ring.create("short", {Scope.QUOTES}, clock.at + timedelta(seconds=2)).text
    clock.at += timedelta(seconds=1.9)
    assert ring.verify(text) is not None

    clock.at += timedelta(seconds=0.1)
    assert ring.verify(text) is None


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("asked", list(Scope))
def test_a_scope_allows_itself_and_admin_allows_all(ring: KeyRing, scope: Scope, asked: Scope) -> None:
    key = ring.create("one", [scope]).key

    assert key.allows(asked) == (scope is asked or scope is Scope.ADMIN)


def test_the_bootstrap_key_is_admin_and_not_listed(ring: KeyRing) -> None:
    key = ring.verify(_BOOTSTRAP)

    assert key is not None
    assert key.scopes == {Scope.ADMIN}
    assert ring.list_keys() == []


def test_without_a_bootstrap_key_there_is_none(store: Store, clock: FixedClock) -> None:
    assert KeyRing(store, clock).verify(_BOOTSTRAP) is None


def test_a_short_bootstrap_key_is_refused_without_repeating_it(store: Store, clock: FixedClock) -> None:
    with pytest.raises(ApiKeyError, match="16 or more") as caught:
        KeyRing(store, clock, "hunter2")

    assert "hunter2" not in str(caught.value)


def test_a_key_without_scope_or_already_expired_is_refused(ring: KeyRing, clock: FixedClock) -> None:
    with pytest.raises(ApiKeyError, match="quotes, outcomes, merchant, admin"):
        ring.create("none", [])
    with pytest.raises(ApiKeyError, match="has passed"):
        ring.create("late", [Scope.QUOTES], clock.at)

    assert ring.list_keys() == []


def test_the_last_use_is_noted_once_a_minute(ring: KeyRing, created: CreatedKey, clock: FixedClock) -> None:
    first = clock.at
    ring.verify(created.text)
    clock.at += timedelta(seconds=59)
    ring.verify(created.text)
    assert [key.last_used_at for key in ring.list_keys()] == [first]

    clock.at += timedelta(seconds=6)
    ring.verify(created.text)
    assert [key.last_used_at for key in ring.list_keys()] == [clock.at]


def test_many_keys_do_not_grow_the_cache_without_bound(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.service.auth.api_keys._CACHE_LIMIT", 3)
    texts = [ring.create(str(number), [Scope.QUOTES]).text for number in range(10)]

    assert all(ring.verify(text) is not None for text in texts * 2)
    assert len(ring._cache) <= 3


def test_a_rotated_key_has_a_successor_and_ends_later(ring: KeyRing, clock: FixedClock) -> None:
    old = ring.create("shop", [Scope.QUOTES])
    new = ring.rotate(old.key.key_id, clock.now() + timedelta(hours=1))

    assert (new.key.name, new.key.scopes) == ("shop", frozenset({Scope.QUOTES}))
    assert ring.verify(old.text) is not None
    clock.at += timedelta(hours=1)
    assert ring.verify(old.text) is None
    assert ring.verify(new.text) is not None
    with pytest.raises(ApiKeyError, match="no valid key"):
        ring.rotate(old.key.key_id, clock.now())


def test_a_publishable_key_keeps_its_pages_and_is_told_apart_by_its_text(store: Store, clock: FixedClock) -> None:
    ring = KeyRing(store, clock)
    made = ring.create("page", [Scope.QUOTES], origins=["HTTPS://Shop.example:443/", "http://localhost:5173"])
    assert made.text.startswith("pspub_")
    found = ring.verify(made.text)
    assert found is not None
    assert found.publishable
    assert found.origins == ("https://shop.example", "http://localhost:5173")
    assert ring.verify(made.text.replace("pspub_", "ps_")) is None
    again = ring.rotate(made.key.key_id, clock.now() + timedelta(hours=1))
    assert again.text.startswith("pspub_")
    assert again.key.origins == found.origins
    secret = ring.create("server", [Scope.QUOTES])
    assert (secret.key.publishable, secret.text.startswith("ps_")) == (False, True)


@pytest.mark.parametrize("scope", [Scope.MERCHANT, Scope.ADMIN])
def test_a_publishable_key_gets_no_scope_of_merchants(store: Store, clock: FixedClock, scope: Scope) -> None:
    with pytest.raises(ApiKeyError, match="cannot have the scopes"):
        KeyRing(store, clock).create("page", [Scope.QUOTES, scope], origins=["https://shop.example"])


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/cart", "*", ""])
def test_a_publishable_key_is_for_pages_of_origins(store: Store, clock: FixedClock, origin: str) -> None:
    with pytest.raises(ApiKeyError, match="not the origin of a page"):
        KeyRing(store, clock).create("page", [Scope.QUOTES], origins=[origin])
