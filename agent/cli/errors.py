"""The errors that commands tell in one line; anything else is a bug and shows its traceback."""

from pydantic import ValidationError

from agent.domain.money import MoneyError
from agent.rules.book import RuleError
from agent.rules.packs import PackError
from agent.service.auth.api_keys import ApiKeyError
from agent.service.auth.quote_tokens import TokenKeyError
from agent.service.backup import BackupError
from agent.service.ingest import ImportFormatError
from agent.service.merchants import MerchantError
from agent.service.webhooks import RefusedAddressError
from agent.store import StoreError
from agent.training.promotion import NotProven
from models.errors import ModelError
from prompts import PromptError
from retrieval import RetrievalError

EXPECTED = (
    ApiKeyError,
    BackupError,
    FileNotFoundError,
    ImportFormatError,
    MerchantError,
    ModelError,
    MoneyError,
    NotProven,
    PackError,
    PromptError,
    RefusedAddressError,
    RuleError,
    RetrievalError,
    StoreError,
    TokenKeyError,
    ValidationError,
)
