"""The arithmetic of the audit log: a chain in which every row's hash covers the row before it.

A row commits to its subject twice: to what anybody may keep (`content_sha256`), and to what names a shopper
(`personal_hmac`, under a random salt of its own). Erasing a shopper blanks the personal part and forgets the salt: what
is left says nothing of the shopper, and the chain still verifies.
"""

import hashlib
import hmac
import json
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

GENESIS: Final = "0" * 64
_SALT_BYTES: Final = 16
_HEAD: Final = "pricesmith-audit-head-1"  # no token begins like this, so that no signature means two things


class AuditKind(StrEnum):
    """What a row of the log tells of."""

    DECISION = "decision"
    OUTCOME = "outcome"
    RULE = "rule"
    """Something was decided of the merchant's rules; the subject is its number."""
    ERASURE = "erasure"
    """The personal part of an earlier row was blanked; the subject is that row's `kind:subject`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be logged. `personal` is None where nothing names a shopper."""

    kind: AuditKind
    subject: str
    content: bytes
    personal: bytes | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the log. Digests are hexadecimal; `salt` is None once the personal part was erased, or never was."""

    seq: int
    kind: AuditKind
    subject: str
    content_sha256: str
    personal_hmac: str | None
    salt: bytes | None
    link_sha256: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a chain; `seal` is a signature over it, empty where the store was opened without a signer."""

    seq: int
    link_sha256: str
    seal: str = ""

    def message(self) -> bytes:
        """The bytes that the seal signs."""
        return json.dumps([_HEAD, self.seq, self.link_sha256]).encode()


START: Final = Head(0, GENESIS)
"""The head of a chain without rows."""


def next_link(head: Head, entry: Entry) -> Link:
    """The row that follows `head`."""
    salt = None if entry.personal is None else os.urandom(_SALT_BYTES)
    personal = None if salt is None or entry.personal is None else personal_hmac(salt, entry.personal)
    link = Link(head.seq + 1, entry.kind, entry.subject, content_sha256(entry.content), personal, salt, "")
    return replace(link, link_sha256=link_sha256(link, head))


def link_sha256(link: Link, previous: Head) -> str:
    """The hash of a row after `previous`; the salt is left out, so that it can be forgotten."""
    covered = [
        previous.link_sha256,
        link.seq,
        link.kind.value,
        link.subject,
        link.content_sha256,
        link.personal_hmac,
    ]
    return hashlib.sha256(json.dumps(covered).encode()).hexdigest()


def content_sha256(content: bytes) -> str:
    """The commitment to what may be kept."""
    return hashlib.sha256(content).hexdigest()


def personal_hmac(salt: bytes, personal: bytes) -> str:
    """The commitment to what names a shopper; without the salt nobody can test a guess against it."""
    return hmac.new(salt, personal, hashlib.sha256).hexdigest()
