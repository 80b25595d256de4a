"""Layout of a data folder: models, indexes, keys and the embedded database."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths under one data folder."""

    root: Path

    @property
    def models(self) -> Path:
        """Folder of the model versions."""
        return self.root / "models"

    @property
    def product_index(self) -> Path:
        """Folder of the product index's snapshots."""
        return self.root / "indexes" / "products"

    @property
    def outcome_memory(self) -> Path:
        """Folder of the outcome index's snapshots."""
        return self.root / "indexes" / "outcomes"

    @property
    def learning(self) -> Path:
        """Folder of the online learner's snapshots."""
        return self.root / "learning"

    @property
    def signing_key(self) -> Path:
        """File of the private key for quote tokens."""
        return self.root / "keys" / "signing.pem"

    @property
    def spool(self) -> Path:
        """Folder of uploaded files that wait to be imported."""
        return self.root / "spool"

    @property
    def workers(self) -> Path:
        """Folder of locks and metrics by which the processes that serve this folder know of one another."""
        return self.root / "workers"

    @property
    def database(self) -> Path:
        """File of the embedded database."""
        return self.root / "pricesmith.db"

    @property
    def database_url(self) -> str:
        """Address of the embedded database."""
        return f"sqlite:///{self.database.resolve()}"
