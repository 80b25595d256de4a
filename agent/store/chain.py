"""Hash chain of the audit log: every row's hash covers the row before it.

A row commits to its subject twice: to the impersonal content (`content_sha256`), and to the personal part
(`personal_hmac`, under a random salt of its own). An erasure deletes the personal part and the salt: the rest reveals
nothing of the shopper, and the chain still verifies.
"""

import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

GENESIS: Final = "0" * 64
_SALT_BYTES: Final = 16
_quoted: Final = json.JSONEncoder().encode
_HEAD: Final = "pricesmith-audit-head-1"  # no token begins like this, so that no signature is valid for both


class AuditKind(StrEnum):
    """Kind of a row's subject."""

    DECISION = "decision"
    OUTCOME = "outcome"
    RULE = "rule"
    """An event of the merchant's rules; the subject is its number."""
    ERASURE = "erasure"
    """The personal part of an earlier row was erased; the subject is that row's `kind:subject`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to log; `personal` is None where nothing identifies a shopper."""

    kind: AuditKind
    subject: str
    content: bytes
    personal: bytes | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the log; digests are hexadecimal. `salt` is None without a personal part, and after its erasure."""

    seq: int
    kind: AuditKind
    subject: str
    content_sha256: str
    personal_hmac: str | None
    salt: bytes | None
    link_sha256: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a chain; `seal` is a signature over it, empty without a signer."""

    seq: int
    link_sha256: str
    seal: str = ""

    def message(self) -> bytes:
        """Message that the seal signs."""
        return json.dumps([_HEAD, self.seq, self.link_sha256]).encode()


START: Final = Head(0, GENESIS)
"""Head of an empty chain."""


def next_link(head: Head, entry: Entry) -> Link:
    """The row of an entry after `head`."""
    salt = None if entry.personal is None else os.urandom(_SALT_BYTES)
    personal = None if salt is None or entry.personal is None else personal_hmac(salt, entry.personal)
    seq, kind, content = head.seq + 1, entry.kind, content_sha256(entry.content)
    own = _sha256(head.link_sha256, (seq, kind, entry.subject, content, personal))
    return Link(seq, kind, entry.subject, content, personal, salt, own)


def link_sha256(link: Link, previous: Head) -> str:
    """Hash of a row after `previous`; the salt is not covered, so that it can be deleted."""
    covered = (link.seq, link.kind, link.subject, link.content_sha256, link.personal_hmac)
    return _sha256(previous.link_sha256, covered)


def content_sha256(content: bytes) -> str:
    """Commitment to the impersonal content."""
    return hashlib.sha256(content).hexdigest()


def personal_hmac(salt: bytes, personal: bytes) -> str:
    """Commitment to the personal part; without the salt nobody can test a guess against it."""
    return hmac.digest(salt, personal, "sha256").hex()


def _sha256(previous_sha256: str, covered: tuple[int, AuditKind, str, str, str | None]) -> str:
    """Hash over a JSON list, written as `json.dumps` does at six times the cost."""
    seq, kind, subject, content, personal = covered
    hmac_hex = "null" if personal is None else f'"{personal}"'
    listed = f'["{previous_sha256}", {seq}, "{kind.value}", {_quoted(subject)}, "{content}", {hmac_hex}]'
    return hashlib.sha256(listed.encode()).hexdigest()
