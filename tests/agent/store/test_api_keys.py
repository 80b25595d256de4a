from dataclasses import replace
from datetime import timedelta

import pytest

from agent.store import ApiKeyRecord, Store, StoreError
from tests.agent.store.builders import AT

_KEY = ApiKeyRecord("k1", "till", "ab" * 32, "outcomes quotes", AT, AT + timedelta(days=1))


def test_a_key_read_equals_the_one_inserted(store: Store) -> None:
    other = replace(_KEY, key_id="k0", created_at=AT + timedelta(seconds=1), expires_at=None)
    store.insert_key(other)
    store.insert_key(_KEY)

    assert store.key("k1") == _KEY
    assert store.key("k2") is None
    assert store.list_keys() == [_KEY, other]


def test_a_key_id_is_given_once(store: Store) -> None:
    store.insert_key(_KEY)

    with pytest.raises(StoreError):
        store.insert_key(replace(_KEY, name="other"))

    assert store.key("k1") == _KEY


def test_the_first_revocation_stands(store: Store) -> None:
    store.insert_key(_KEY)

    assert store.revoke_key("k1", AT)
    assert not store.revoke_key("k1", AT + timedelta(days=1))
    assert not store.revoke_key("k2", AT)
    assert store.key("k1") == replace(_KEY, revoked_at=AT)


def test_a_touch_is_kept(store: Store) -> None:
    store.insert_key(_KEY)
    store.touch_key("k1", AT + timedelta(hours=1))

    assert store.key("k1") == replace(_KEY, last_used_at=AT + timedelta(hours=1))
