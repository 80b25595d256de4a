"""Promotion of model versions: one that sets prices is activated on evidence from the shop's own log.

`pricesmith eval policy --log` writes a proof beside the models, which activation reads. An activation without proof is
recorded with who forced it and why.
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
    """A version may not be activated: no valid proof says that it earns more than the best price for everyone."""


class Proof(BaseModel):
    """Result of an off-policy evaluation of a version on a log.

    Attributes:
        versions: Model versions evaluated together.
        decisions: Number of decisions in the log; `log_end` is the time of the last.
        gain, gain_low, gain_high: Estimated gain and its 95 % interval, minor units a decision.
        reasons: Reasons against promotion; empty for a proof that promotes.
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
    """An activation: the version, its proof, and who forced it, and why, where there was none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    kind: ModelKind
    version: str
    proof: Proof | None
    forced_by: str | None = None
    why: str | None = None


class Promotions:
    """Proofs and activations, stored in the folder of the models."""

    def __init__(self, models: Path) -> None:
        """Use the folder of a registry."""
        self._root = models
        self._registry = Registry(models)

    def keep(self, kind: ModelKind, version: str, proof: Proof) -> Path:
        """Store the proof of a version, in place of an earlier one."""
        path = self._path(kind, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(proof.model_dump_json(indent=1) + "\n", "utf-8")
        return path

    def proof(self, kind: ModelKind, version: str) -> Proof | None:
        """The proof of a version; None without a readable one."""
        path = self._path(kind, version)
        try:
            return Proof.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def activate(
        self, kind: ModelKind, version: str, *, forced_by: str | None = None, why: str | None = None
    ) -> Activation:
        """Activate a version and record the grounds.

        Versions that set no prices need no proof, nor does the active one.

        Raises:
            NotProven: The version sets prices, lacks a proof beside the other active versions, and is not forced.
            RegistryError: The version is damaged or does not fit the others.
        """
        self._registry.check_installed(kind, version)
        read_meta(self._registry.folder(kind, version))
        proof = self.proof(kind, version)
        if forced_by is None and kind in PRICING and self._registry.in_use().get(kind) != version:
            self._check(kind, version, proof)
        self._registry.activate(kind, version)
        return self._note(kind, version, why, proof, forced_by)

    def begin(self, kind: ModelKind, version: str, why: str) -> Activation:
        """Activate a version just trained on this shop's own outcomes, and record that.

        Raises:
            RegistryError: The version is damaged or does not fit the others.
        """
        self._registry.activate(kind, version)
        return self._note(kind, version, why)

    def rollback(self, kind: ModelKind) -> Activation:
        """Activate the version that was active before, which needs no proof.

        Raises:
            RegistryError: There was none, or it is damaged.
        """
        return self._note(kind, self._registry.rollback(kind), "rolled back")

    def history(self) -> list[Activation]:
        """All recorded activations, oldest first."""
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
            raise NotProven(f"{kind} {version} has no proof on this shop's log; {remedy}")
        in_use = {**self._registry.in_use(), kind: version}
        other = [one for one in sorted(PRICING) if proof.versions.get(one) != in_use.get(one)]
        if other:
            raise NotProven(
                f"{kind} {version} was evaluated beside versions of {', '.join(other)} that are not active; {remedy}"
            )
        if datetime.now(UTC) - proof.made_at > MAX_AGE:
            raise NotProven(f"{kind} {version} was evaluated more than {MAX_AGE.days} days ago; {remedy}")
        if proof.reasons:
            raise NotProven(f"{kind} {version} failed its evaluation: {'; '.join(proof.reasons)}; {remedy}")

    def _path(self, kind: ModelKind, version: str) -> Path:
        self._registry.folder(kind, version)  # refuses names that are not plain folder names
        return self._root / _PROOFS / f"{kind}-{version}.json"
