"""The errors that commands tell in one line; anything else is a bug and shows its traceback."""

from pydantic import ValidationError

from agent.backup import BackupError
from agent.domain.money import MoneyError
from agent.importing import ImportFormatError
from agent.keys import ApiKeyError
from agent.merchants import MerchantError
from agent.rules import RuleError
from agent.rules.packs import PackError
from agent.store import StoreError
from agent.tokens import TokenKeyError
from agent.training.promotion import NotProven
from agent.webhooks import RefusedAddressError
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
