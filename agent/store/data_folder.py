"""The layout of a data folder: models, indexes, keys and the embedded database."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths under one data folder."""

    root: Path

    @property
    def models(self) -> Path:
        """Model versions."""
        return self.root / "models"

    @property
    def product_index(self) -> Path:
        """Snapshot of the product index."""
        return self.root / "indexes" / "products"

    @property
    def outcome_memory(self) -> Path:
        """Snapshot of the outcome memory."""
        return self.root / "indexes" / "outcomes"

    @property
    def learning(self) -> Path:
        """Snapshots of what outcomes taught since the training."""
        return self.root / "learning"

    @property
    def signing_key(self) -> Path:
        """Private key of quote tokens."""
        return self.root / "keys" / "signing.pem"

    @property
    def database(self) -> Path:
        """File of the embedded database."""
        return self.root / "pricesmith.db"

    @property
    def database_url(self) -> str:
        """Address of the embedded database."""
        return f"sqlite:///{self.database.resolve()}"
