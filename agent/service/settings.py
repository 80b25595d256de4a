"""Settings: one frozen object, which `settings_reading` reads where the app or a command starts."""

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agent.domain.origins import web_origin
from agent.rules.exploration import Exploration

DEFAULT_MERCHANT: Final = "default"


class Settings(BaseSettings):
    """Settings of one Pricesmith; each is read from `PRICESMITH_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="PRICESMITH_", frozen=True, extra="ignore", allow_inf_nan=False)

    data_dir: Path = Path("data")
    """Models, indexes, keys and, unless `database_url` says otherwise, the database."""

    database_url: str | None = None
    """`postgresql://USER:PASSWORD@HOST/NAME`; without it SQLite in the data folder."""

    built_models_dir: Path | None = None
    """Folder of models that were built before, from which `prepare` and `init` copy; without it they are built."""

    encoder: str = "multilingual-e5-small"
    """Encoder that `train encoder` starts from: `multilingual-e5-small`, `all-MiniLM-L6-v2` or the folder of any
    sentence-transformers model; its dimensions, pooling, tokenizer and prefix are read from it."""

    currency: str | None = None
    """Currency of imported rows that name none, an ISO 4217 code; `--currency` goes before it."""

    merchant: str = DEFAULT_MERCHANT
    """Merchant that commands act on; the HTTP service serves all merchants, each by its own API keys."""

    open_merchants: int = Field(default=8, ge=1)
    """Merchants beside the default one that stay open while they get no requests."""

    rate_limit_per_minute: int | None = Field(default=None, ge=1)
    """Requests a minute for API keys without a limit of their own, in one process; without it no limit."""

    bootstrap_key: SecretStr | None = None
    """A first API key, with every scope; at least 16 characters."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: int = Field(default=8000, ge=1, le=65_535)
    """Port to listen on."""

    workers: int = Field(default=1, ge=1, le=64)
    """Processes that `serve` answers with; they share the port, and most memory where the system can fork."""

    threads: int = Field(default=2, ge=1, le=256)
    """Cores that one model call may use."""

    quote_ttl_s: int = Field(default=900, ge=1, le=86_400)
    """How long a quote is valid, seconds."""

    stable_prices: bool = True
    """Whether a shopper gets the same price again for a product and quantity while a quote is valid."""

    default_deadline_ms: int = Field(default=1_000, ge=1, le=60_000)
    """Deadline of quotes without one of their own, milliseconds from arrival."""

    body_limit_bytes: int = Field(default=2 * 1024 * 1024, ge=1_024)
    """Largest request body, bytes."""

    upload_limit_bytes: int = Field(default=512 * 1024 * 1024, ge=1_024)
    """Largest file that may be uploaded for an import, bytes; it lies in the data folder until the import has ended."""

    queue_limit: int = Field(default=256, ge=1)
    """Quotes that may wait; further ones are refused with 503."""

    metrics_public: bool = True
    """Whether /metrics can be read without an API key."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the service from a browser, such as `https://shop.example`, separated by commas;
    `*` for all. Without it no page may."""

    otlp_endpoint: str | None = None
    """Endpoint for traces, OTLP over HTTP, such as `http://collector:4318/v1/traces`; needs the extra `tracing`."""

    webhooks_private: bool = False
    """Whether webhooks may use plain http and private, loopback and link-local addresses: for tests alone."""

    pack: str = "ecommerce"
    """Vertical pack: levers, context fields, protected attributes, default limits."""

    personalises: bool | None = None
    """Whether prices are personalised; without it as the pack says: not in credit and insurance, else yes."""

    prompt_version: int = Field(default=2, ge=1)
    """Version of the strategist's prompt, the one that the active strategist was trained on."""

    language_model: bool = True
    """Have the strategist write candidates, in a process beside the server; without it they are numeric."""

    retention_days: int | None = Field(default=None, ge=1)
    """Days after which events and the personal parts of decisions are erased; without it they are kept."""

    narrator: bool = False
    """Whether a small local model words English explanations; off by default, as one answer takes seconds."""

    writer_url: HttpUrl | None = None
    """Base URL of an OpenAI-compatible endpoint (`https://host/v1`) whose model words explanations."""

    writer_model: str = "default"
    """Name of the endpoint's model."""

    writer_key: SecretStr | None = None
    """The endpoint's API key."""

    writer_timeout_s: float = Field(default=10.0, gt=0, le=120)
    """Timeout of the endpoint for one answer, seconds."""

    never_above_reference: bool = True
    """Whether no price may exceed the reference price."""

    min_margin_frac: float | None = Field(default=None, ge=0, lt=0.99)
    """Minimum margin, (price - cost) / price; without it the pack's."""

    max_discount_frac: float | None = Field(default=None, ge=0, le=1)
    """Largest discount, a fraction of the reference price; without it the pack's."""

    max_change_frac: float | None = Field(default=None, ge=0, le=100)
    """Largest change from the last price quoted to the shopper, a fraction; without it the pack's."""

    weight_profit: float = Field(default=0.8, ge=0)
    """Weight of profit in the choice."""

    weight_purchase: float = Field(default=0.1, ge=0)
    """Weight of the purchase probability in the choice."""

    weight_satisfaction: float = Field(default=0.1, ge=0)
    """Weight of the shopper's satisfaction in the choice."""

    exploration: Exploration = Exploration.OFF
    """Whether prices are varied to learn: off, cautious (every fifth quote) or normal (Thompson sampling)."""

    max_try_frac: float | None = Field(default=None, ge=0, le=10)
    """Largest distance of an explored price from the best known one, a fraction; without it only limits apply."""

    max_spread_frac: float | None = Field(default=None, ge=0, le=10)
    """Largest standard deviation of one shopper's prices for one product in 30 days that exploration may cause, a
    fraction of the reference price; without it no cap."""

    control_frac: float = Field(default=0.0, ge=0, le=0.5)
    """Fraction of quotes that show the reference price at random, as the control group of `eval policy --log`."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """Read origins separated by commas."""
        named = given.split(",") if isinstance(given, str) else given
        return tuple(one.strip() if one.strip() == "*" else web_origin(one) for one in named if one.strip())
