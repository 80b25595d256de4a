"""Settings: one frozen object, read from the environment (`PRICESMITH_...`) where the app or a command starts."""

from pathlib import Path
from typing import Final

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.rules.exploration import Exploration

DEFAULT_MERCHANT: Final = "default"


class Settings(BaseSettings):
    """How one Pricesmith runs."""

    model_config = SettingsConfigDict(env_prefix="PRICESMITH_", frozen=True, extra="ignore")

    data_dir: Path = Path("data")
    """Models, indexes, keys and, unless `database_url` says otherwise, the database."""

    database_url: str | None = None
    """`postgresql://...` for PostgreSQL; none keeps SQLite in the data folder."""

    merchant: str = DEFAULT_MERCHANT
    """Whose data commands act on; the HTTP service serves all merchants, each by its own keys."""

    open_merchants: int = Field(default=8, ge=1)
    """How many merchants besides the default one stay open while nobody asks for them."""

    rate_limit_per_minute: int | None = Field(default=None, ge=1)
    """Requests a minute that a key without a limit of its own may make of one process; none: any number."""

    bootstrap_key: SecretStr | None = None
    """An API key that works from the start, with every scope; at least 16 characters."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: int = Field(default=8000, ge=1, le=65_535)
    """Port to listen on."""

    threads: int = Field(default=2, ge=1, le=256)
    """Cores that one model call may use."""

    quote_ttl_s: int = Field(default=900, ge=1, le=86_400)
    """How long a quote is valid, seconds."""

    stable_prices: bool = True
    """Whether a shopper who asks again for a product and quantity gets the same price while the first quote lives."""

    default_deadline_ms: int = Field(default=1_000, ge=1, le=60_000)
    """Deadline of a quote that brings none, counted from its arrival."""

    body_limit_bytes: int = Field(default=2 * 1024 * 1024, ge=1_024)
    """Largest request body."""

    queue_limit: int = Field(default=256, ge=1)
    """Quotes that may wait before further ones are refused with 503."""

    metrics_public: bool = True
    """Whether /metrics needs no key."""

    otlp_endpoint: str | None = None
    """Where traces go, OTLP over HTTP: `http://collector:4318/v1/traces`; needs the extra `tracing`."""

    webhooks_private: bool = False
    """Whether webhooks may go over plain http and to private, loopback and link-local addresses: for tests and labs."""

    pack: str = "ecommerce"
    """Vertical pack: levers, context fields, attributes never used, default limits."""

    personalises: bool | None = None
    """Whether prices are made for shoppers; none takes the pack's: not in credit and insurance, elsewhere yes."""

    prompt_version: int = Field(default=2, ge=1)
    """Version of the strategist's prompt; must be the one that the active strategist was trained on."""

    language_model: bool = True
    """Whether the strategist proposes candidates; without it quotes are numeric, and faster."""

    retention_days: int | None = Field(default=None, ge=1)
    """Events and personal parts of decisions are taken away after so many days; none keeps them until somebody asks."""

    narrator: bool = False
    """Whether the language model words English explanations; off: the shipped one learned older wordings."""

    writer_url: HttpUrl | None = None
    """Base of an OpenAI-compatible endpoint (`https://host/v1`) whose model words explanations, under the check."""

    writer_model: str = "default"
    """Name of the endpoint's model."""

    writer_key: SecretStr | None = None
    """The endpoint's API key."""

    writer_timeout_s: float = Field(default=10.0, gt=0, le=120)
    """How long the endpoint may take for one answer, seconds."""

    never_above_reference: bool = True
    """No shopper pays more than the reference price."""

    min_margin_frac: float | None = Field(default=None, ge=0, lt=0.99)
    """Least margin over cost; none takes the pack's."""

    max_discount_frac: float | None = Field(default=None, ge=0, le=1)
    """Deepest discount off the reference price; none takes the pack's."""

    max_change_frac: float | None = Field(default=None, ge=0, le=100)
    """Largest change against the last price this shopper was quoted; none takes the pack's."""

    weight_profit: float = Field(default=0.8, ge=0)
    """Weight of profit in the choice."""

    weight_purchase: float = Field(default=0.1, ge=0)
    """Weight of winning the purchase."""

    weight_satisfaction: float = Field(default=0.1, ge=0)
    """Weight of the shopper's satisfaction."""

    exploration: Exploration = Exploration.OFF
    """Whether prices are varied to learn: off, cautious (every fifth quote) or normal (Thompson sampling)."""

    max_try_frac: float | None = Field(default=None, ge=0, le=10)
    """How far a price that is tried out may lie from the best known one; none leaves it to the other limits."""

    max_spread_frac: float | None = Field(default=None, ge=0, le=10)
    """Nothing is tried out that takes the standard deviation of the prices one shopper was shown for one product in 30
    days beyond this share of the reference price; none: no such cap."""

    control_frac: float = Field(default=0.0, ge=0, le=0.5)
    """Share of quotes that hold the reference price, by chance: what `eval policy --log` compares with."""
