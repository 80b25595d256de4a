"""Table declarations. Migrations create the tables; a test checks that both agree.

`seq` columns number rows in the order in which they became visible, so that a reader can resume after the last one.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from agent.domain.candidates import Source
from agent.domain.decision import Rung
from agent.domain.records import EventType, OutcomeType, RuleEventKind
from agent.store.chain import AuditKind
from agent.store.column_types import EnumText, FiniteFloat, JsonObject, UtcMicros
from agent.store.job_records import JobKind, JobState
from models.strategist.strategy import Lever

METADATA: Final = MetaData()

# SQLite numbers rows only in a column declared INTEGER, which has 64 bits there.
_SEQ: Final = BigInteger().with_variant(Integer, "sqlite")

META: Final = Table(
    "meta",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

PRODUCTS: Final = Table(
    "products",
    METADATA,
    Column("product_id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("list_minor", BigInteger),
    Column("cost_minor", BigInteger),
    Column("description", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("brand", Text, nullable=False),
    Column("inventory", BigInteger),
    Column("rating", FiniteFloat),
    Column("floor_minor", BigInteger),
    Column("ceiling_minor", BigInteger),
    Column("map_minor", BigInteger),
    Column("attributes", JsonObject, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="0"),  # number of the last write, over all products
    Column("removed", Boolean, nullable=False, server_default=false()),  # kept for what happened with it before
    Index("products_revision", "revision"),
)

LIST_PRICES: Final = Table(
    "list_prices",
    METADATA,
    Column("product_id", Text, primary_key=True),
    Column("at", UtcMicros, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("list_minor", BigInteger),
    sqlite_with_rowid=False,  # rows are stored in key order: one sequential read at start-up
)

SHOPPERS: Final = Table(
    "shoppers",
    METADATA,
    Column("shopper_id", Text, primary_key=True),
    Column("profile", JsonObject, nullable=False),
    Column("personalisation", Boolean, nullable=False),
)

SHOPPER_MEMORY: Final = Table(
    "shopper_memory",
    METADATA,
    Column("shopper_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("first_at", UtcMicros, nullable=False),
    Column("last_at", UtcMicros, nullable=False),
    Column("late_sales", BigInteger),
    Column("labels", BigInteger, nullable=False),
    Column("encoder", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("expires_at", UtcMicros),
    Column("state", LargeBinary, nullable=False),
    Column("history", LargeBinary, nullable=False),
    Index("shopper_memory_first", "first_at"),
    Index("shopper_memory_expires", "expires_at"),
)

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("seq", _SEQ, Identity(always=True), primary_key=True),
    Column("shopper_id", Text, nullable=False),
    Column("type", EnumText(EventType), nullable=False),
    Column("at", UtcMicros, nullable=False),
    Column("product_id", Text),
    Column("quantity", BigInteger, nullable=False),
    Column("price_minor", BigInteger),
    Column("list_minor", BigInteger),
    Column("currency", Text),
    Column("text", Text, nullable=False),
    Column("event_id", Text),
    Index("events_shopper_at", "shopper_id", "at"),
    Index("events_at", "at", "seq", "type"),
    Index("events_product_at", "product_id", "at", "seq"),
    Index("events_event_id", "event_id", unique=True),
    sqlite_autoincrement=True,  # a number is never reused, not even after an erasure
)

OUTCOMES: Final = Table(
    "outcomes",
    METADATA,
    Column("seq", _SEQ, Identity(always=True), primary_key=True),
    Column("outcome_id", Text, nullable=False),
    Column("shopper_id", Text),
    Column("product_id", Text),
    Column("currency", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("reference_minor", BigInteger),
    Column("type", EnumText(OutcomeType), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("at", UtcMicros, nullable=False),
    Column("quote_id", Text),
    Column("propensity", FiniteFloat),
    Column("weight", FiniteFloat, nullable=False),
    Column("profile", JsonObject),
    Column("context", JsonObject),
    Column("returned", Boolean),
    Column("rating", FiniteFloat),
    Column("cost_minor", BigInteger),
    UniqueConstraint("outcome_id", name="outcomes_outcome_id"),
    Index("outcomes_quote", "quote_id"),
    Index("outcomes_shopper_at", "shopper_id", "at"),
    Index("outcomes_at", "at", "seq", "type"),
    Index("outcomes_product_at", "product_id", "at", "seq"),
    sqlite_autoincrement=True,
)

DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("at", UtcMicros, nullable=False),
    Column("shopper_id", Text),
    Column("product_id", Text),
    Column("price_minor", BigInteger, nullable=False),
    Column("reference_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("lever", EnumText(Lever), nullable=False),
    Column("source", EnumText(Source), nullable=False),
    Column("rung", EnumText(Rung), nullable=False),
    Column("personalised", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("personal", Text),
    # lists that filter on a column of few values read this index alone
    Index("decisions_at", "at", "id", "personalised", "source", "lever", "rung", "currency"),
    Index("decisions_shopper_product_at", "shopper_id", "product_id", "at", "id"),
    Index("decisions_product_at", "product_id", "at", "id"),
)

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", EnumText(AuditKind), nullable=False),
    Column("subject", Text, nullable=False),
    Column("content_sha256", Text, nullable=False),
    Column("personal_hmac", Text),
    Column("salt", LargeBinary),
    Column("link_sha256", Text, nullable=False),
    UniqueConstraint("kind", "subject", name="audit_kind_subject"),
)

AUDIT_HEAD: Final = Table(
    "audit_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("link_sha256", Text, nullable=False),
    Column("seal", Text, nullable=False),
)

PRODUCT_WEEKS: Final = Table(
    "product_weeks",
    METADATA,
    Column("product_id", Text, primary_key=True),
    Column("week", UtcMicros, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("purchases", BigInteger, nullable=False),
    Column("list_minor", BigInteger),
    Column("price_minor", BigInteger),
    sqlite_with_rowid=False,  # rows are stored in key order: one sequential read at start-up
)

APPLIED_PRICES: Final = Table(
    "applied_prices",
    METADATA,
    Column("seq", _SEQ, Identity(always=True), primary_key=True),
    Column("product_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("at", UtcMicros, nullable=False),
    Column("offer", Boolean, nullable=False),
    Index("applied_prices_product", "product_id", "currency", "seq"),
    sqlite_autoincrement=True,
)

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", UtcMicros, nullable=False),
    Column("expires_at", UtcMicros),
    Column("revoked_at", UtcMicros),
    Column("last_used_at", UtcMicros),
    Column("merchant", Text, nullable=False, server_default="default"),
    Column("per_minute", Integer),
    Column("origins", Text),  # of a publishable key, separated by blanks
)

IDEMPOTENCY: Final = Table(
    "idempotency",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("idem_key", Text, primary_key=True),
    Column("payload_sha256", Text, nullable=False),
    Column("started_at", UtcMicros, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("media_type", Text),
    Column("location", Text),
    Column("quote_id", Text),
    Column("abandoned", Boolean, nullable=False, server_default=false()),
    Index("idempotency_started", "started_at"),
)

WEBHOOKS: Final = Table(
    "webhooks",
    METADATA,
    Column("webhook_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("created_at", UtcMicros, nullable=False),
)

WEBHOOK_OUTBOX: Final = Table(
    "webhook_outbox",
    METADATA,
    Column("seq", _SEQ, Identity(always=True), primary_key=True),
    Column("webhook_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcMicros, nullable=False),
    Column("due_at", UtcMicros),
    Column("attempts", Integer, nullable=False),
    Column("trouble", Text),
    UniqueConstraint("webhook_id", "message_id", name="webhook_outbox_message"),
    Index("webhook_outbox_due", "due_at"),
    sqlite_autoincrement=True,
)

RULE_EVENTS: Final = Table(
    "rule_events",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", EnumText(RuleEventKind), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", UtcMicros, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("document", Text),
    Column("active_from", UtcMicros),
    Column("active_until", UtcMicros),
    Column("of_seq", BigInteger),
)

LIVE_QUOTES: Final = Table(
    "live_quotes",
    METADATA,
    Column("shopper_id", Text, primary_key=True),
    Column("product_id", Text, primary_key=True),
    Column("quantity", BigInteger, primary_key=True, autoincrement=False),
    Column("quote_id", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("valid_until", UtcMicros, nullable=False),
    Index("live_quotes_until", "valid_until"),
)

MERCHANTS: Final = Table(
    "merchants",
    METADATA,
    Column("merchant_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", UtcMicros, nullable=False),
    Column("removed_at", UtcMicros),
)

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("job_id", Text, primary_key=True),
    Column("kind", EnumText(JobKind), nullable=False),
    Column("state", EnumText(JobState), nullable=False),
    Column("by", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("file", Text),
    Column("file_bytes", BigInteger),
    Column("created_at", UtcMicros, nullable=False),
    Column("started_at", UtcMicros),
    Column("ended_at", UtcMicros),
    Column("fraction", FiniteFloat, nullable=False),
    Column("step", Text, nullable=False),
    Column("rows", BigInteger),
    Column("cancel_requested", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("owner", Text),
    Column("lease_until", UtcMicros),
    Column("result", Text),
    Column("problem", Text),
    Index("jobs_state", "state", "job_id"),
    Index("jobs_kind", "kind", "job_id"),
)

STRATEGIES: Final = Table(
    "strategies",
    METADATA,
    Column("seq", _SEQ, Identity(always=True), primary_key=True),
    Column("made_with", Text, nullable=False),
    Column("situation", Text, nullable=False),
    Column("written", Text, nullable=False),
    Column("at", UtcMicros, nullable=False),
    UniqueConstraint("made_with", "situation", name="strategies_situation"),
    Index("strategies_made_with", "made_with", "seq"),
    sqlite_autoincrement=True,
)
