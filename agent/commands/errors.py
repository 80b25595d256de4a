"""The errors that commands tell in one line; anything else is a bug and shows its traceback."""

from pydantic import ValidationError

from agent.backup import BackupError
from agent.importing import ImportFormatError
from agent.keys import ApiKeyError
from agent.money import MoneyError
from agent.packs import PackError
from agent.promotion import NotProven
from agent.store import StoreError
from agent.tokens import TokenKeyError
from agent.webhooks import RefusedAddressError
from models.errors import ModelError
from prompts import PromptError
from retrieval import RetrievalError

EXPECTED = (
    ApiKeyError,
    BackupError,
    FileNotFoundError,
    ImportFormatError,
    ModelError,
    MoneyError,
    NotProven,
    PackError,
    PromptError,
    RefusedAddressError,
    RetrievalError,
    StoreError,
    TokenKeyError,
    ValidationError,
)
