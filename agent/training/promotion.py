"""Proof before promotion: a version that sets prices goes live when the shop's own log says that it earns more.

`pricesmith eval policy --log` writes a proof beside the models; activation reads it. Whoever goes live without one is
written down, with the reason.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from models.registry.registry import ModelKind, Registry, read_meta

PRICING: Final = frozenset((ModelKind.ENCODER, ModelKind.EVALUATOR, ModelKind.STRATEGIST))
MAX_AGE: Final = timedelta(days=30)
_PROOFS: Final = "proofs"
_HISTORY: Final = "activations.jsonl"


class NotProven(RuntimeError):
    """A version may not go live: nothing says that it earns more than the best price for everyone."""


class Proof(BaseModel):
    """What a log said of a version. `gain_low`, `gain_high` are the ends of a 95 % interval, minor units a decision.

    `versions` are those that were judged together; `log_end` is the time of the log's last decision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: Mapping[ModelKind, str]
    decisions: int
    log_end: datetime
    currency: str
    gain: float
    gain_low: float
    gain_high: float
    reasons: tuple[str, ...]
    made_at: datetime


class Activation(BaseModel):
    """One line of the history: what went live, on what grounds, and who forced it if nothing proved it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    kind: ModelKind
    version: str
    proof: Proof | None
    forced_by: str | None = None
    why: str | None = None


class Promotions:
    """Proofs and the history of activations, under the models' folder."""

    def __init__(self, models: Path) -> None:
        """Use the folder of the registry."""
        self._root = models
        self._registry = Registry(models)

    def keep(self, kind: ModelKind, version: str, proof: Proof) -> Path:
        """Write a proof of a version; a later one takes its place."""
        path = self._path(kind, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(proof.model_dump_json(indent=1) + "\n", "utf-8")
        return path

    def proof(self, kind: ModelKind, version: str) -> Proof | None:
        """The proof of a version, None when there is none that can be read."""
        path = self._path(kind, version)
        try:
            return Proof.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def activate(
        self, kind: ModelKind, version: str, *, forced_by: str | None = None, why: str | None = None
    ) -> Activation:
        """Put a version in use and write down on what grounds.

        Versions that set no prices need no proof, nor does the one in use already.

        Raises:
            NotProven: It sets prices and no proof promotes it beside the other versions in use; nobody forced it.
            RegistryError: It is damaged or does not fit.
        """
        read_meta(self._registry.folder(kind, version))
        proof = self.proof(kind, version)
        if forced_by is None and kind in PRICING and self._registry.in_use().get(kind) != version:
            self._check(kind, version, proof)
        self._registry.activate(kind, version)
        return self._note(kind, version, why, proof, forced_by)

    def begin(self, kind: ModelKind, version: str, why: str) -> Activation:
        """Put a version in use that was just trained on this shop's own outcomes, and write that down.

        Raises:
            RegistryError: It is damaged or does not fit.
        """
        self._registry.activate(kind, version)
        return self._note(kind, version, why)

    def rollback(self, kind: ModelKind) -> Activation:
        """Go back to the version in use before, which needs no proof.

        Raises:
            RegistryError: There was none, or it is damaged.
        """
        return self._note(kind, self._registry.rollback(kind), "rolled back")

    def history(self) -> list[Activation]:
        """Every activation through here, oldest first."""
        path = self._root / _HISTORY
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return [Activation.model_validate(json.loads(line)) for line in lines]

    def _note(
        self, kind: ModelKind, version: str, why: str | None, proof: Proof | None = None, forced_by: str | None = None
    ) -> Activation:
        done = Activation(at=datetime.now(UTC), kind=kind, version=version, proof=proof, forced_by=forced_by, why=why)
        with (self._root / _HISTORY).open("a", encoding="utf-8") as history:
            history.write(done.model_dump_json() + "\n")
        return done

    def _check(self, kind: ModelKind, version: str, proof: Proof | None) -> None:
        remedy = (
            f"remedy: pricesmith eval policy --log store --candidate {kind}/{version}, "
            "or activate with --force --by NAME --why REASON"
        )
        if proof is None:
            raise NotProven(f"{kind} {version} is not proven on this shop's log; {remedy}")
        in_use = {**self._registry.in_use(), kind: version}
        other = [one for one in sorted(PRICING) if proof.versions.get(one) != in_use.get(one)]
        if other:
            raise NotProven(
                f"{kind} {version} was judged beside other versions ({', '.join(other)}) than are in use; {remedy}"
            )
        if datetime.now(UTC) - proof.made_at > MAX_AGE:
            raise NotProven(f"{kind} {version} was judged more than {MAX_AGE.days} days ago; {remedy}")
        if proof.reasons:
            raise NotProven(f"{kind} {version} may not go live: {'; '.join(proof.reasons)}; {remedy}")

    def _path(self, kind: ModelKind, version: str) -> Path:
        self._registry.folder(kind, version)  # refuses names that are no plain folder
        return self._root / _PROOFS / f"{kind}-{version}.json"
