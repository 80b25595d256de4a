"""Hashes of the audit log, which copies kept elsewhere and earlier releases must find equal."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from agent.store.chain import AuditKind, Entry, Head, link_sha256, next_link

_DIGEST = "ab" * 32


@given(st.integers(0, 2**62), st.sampled_from(AuditKind), st.text(max_size=30), st.binary(), st.none() | st.binary())
def test_a_row_hash_is_that_of_a_json_list(
    seq: int, kind: AuditKind, subject: str, content: bytes, personal: bytes | None
) -> None:
    head = Head(seq, _DIGEST)
    link = next_link(head, Entry(kind, subject, content, personal))
    listed = json.dumps([_DIGEST, seq + 1, kind.value, subject, link.content_sha256, link.personal_hmac])
    assert link.link_sha256 == link_sha256(link, head) == hashlib.sha256(listed.encode()).hexdigest()
