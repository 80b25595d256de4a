"""A set of real data as a shop of Pricesmith: imported, trained, scored by the commands, and quoted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agent.domain.clock import SystemClock
from agent.domain.money import fraction_digits
from agent.domain.request import QuoteRequest
from agent.service.own_shop import make_shop
from agent.service.settings import Settings
from eval.policy.clients import InProcessClient
from eval.real.data import RIVALS, RealSet
from models.arrays import Floats
from models.progress import Progress

MOST_QUOTES: Final = 400
STEP: Final = 0.05  # of the price, for elasticities
_OFFERED: Final = ("at", "shopper_id", "product_id", "price", "reference_price")
_SEED: Final = 17
_PER_PROFILE: Final = "profile."
_PER_CONTEXT: Final = "context."


class CommandFailed(RuntimeError):
    """A command of Pricesmith ended with an error."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Pricesmith after training on a set.

    Attributes:
        p: Purchase probability of every held-out row at its price, by `score`.
        stepped: The same at prices one `STEP` lower and higher, `(2, n)`.
        quoted: Prices quoted for the held-out rows `rows`, major units.
        report: The report of `train`.
        train_s, rows_per_s: Duration of `train`, and speed of `score`.
    """

    p: Floats
    stepped: Floats
    rows: NDArray[np.int64]
    quoted: Floats
    report: Mapping[str, Any]
    train_s: float
    rows_per_s: float


class RealShop:
    """A data folder with one set, made from a folder with models."""

    def __init__(self, data: RealSet, template: Path, folder: Path, rules: Mapping[str, Any] | None = None) -> None:
        """Copy the template; `folder` must not exist yet. `rules` are settings of the quotes."""
        copytree(template, folder, symlinks=True)
        self._data, self._folder, self._rules = data, folder, rules or {}

    def run(self, progress: Progress) -> Trained:
        """Import, train, score and quote.

        Raises:
            CommandFailed: A command failed; the message has its output.
        """
        data, rows = self._data, np.flatnonzero(self._data.test)
        began = time.perf_counter()
        report = self.train(progress)
        train_s = time.perf_counter() - began
        progress(f"{data.name}: score", 0.7)
        p, rows_per_s = self._scored(rows, 1.0)
        stepped = np.stack([self._scored(rows, factor)[0] for factor in (1 - STEP, 1 + STEP)])
        progress(f"{data.name}: quote", 0.9)
        sample = sampled(rows)
        return Trained(p, stepped, sample, self.quoted(sample), report, train_s, rows_per_s)

    def train(self, progress: Progress) -> Mapping[str, Any]:
        """Import all rows but those held out and train on them; returns the report of `train`.

        Raises:
            CommandFailed: A command failed; the message has its output.
        """
        data = self._data
        progress(f"{data.name}: import", 0.1)
        self._write("products", data.products)
        self._command("import", "products", "products.csv")
        self._write("outcomes", self._offers(np.flatnonzero(~data.test)).join(data.offers[["bought", "weight"]]))
        self._command("import", "outcomes", "outcomes.csv")
        progress(f"{data.name}: train", 0.2)
        found: Mapping[str, Any] = self._command("train", "evaluator", "--data", "store", "--version", "own")["report"]
        return found

    def _offers(self, rows: NDArray[np.int64], factor: float = 1.0) -> pd.DataFrame:
        offers = self._data.offers.iloc[rows]
        told = offers[[*_OFFERED, *self._data.situation]].copy()
        told["price"] = stepped_price(self._data, factor)[rows]
        return told

    def _scored(self, rows: NDArray[np.int64], factor: float) -> tuple[Floats, float]:
        self._write("offers", self._offers(rows, factor))
        facts = self._command("score", "offers.csv", "--out", str(self._folder / "scored.csv"))
        scored = pd.read_csv(self._folder / "scored.csv")
        return scored["purchase_probability"].to_numpy(np.float64), float(facts["rows a second"])

    def quoted(self, rows: NDArray[np.int64]) -> Floats:
        """Prices that the trained shop quotes for some rows, on profit alone and without exploration, `(n,)`."""
        unit = 10 ** fraction_digits(self._data.currency)
        settings = Settings.model_validate(
            {
                "data_dir": self._folder,
                "personalises": True,
                "language_model": False,
                "stable_prices": False,
                "weight_profit": 1.0,
                "weight_purchase": 0.0,
                "weight_satisfaction": 0.0,
                "default_deadline_ms": 60_000,
                **self._rules,
            }
        )
        client = InProcessClient(settings, _SEED)
        try:
            requests = [self._request(row, unit) for row in self._data.offers.iloc[rows].to_dict("records")]
            quotes = client.quote(requests, self._data.offers["at"].max().to_pydatetime())
            return np.asarray([quote.price_minor / unit for quote in quotes])
        finally:
            client.close()

    def _request(self, row: Mapping[str, Any], unit: int) -> QuoteRequest:
        def money(amount: float) -> dict[str, Any]:
            return {"amount_minor": max(1, round(amount * unit)), "currency": self._data.currency}

        told = {name: row[name] for name in self._data.situation if name != RIVALS and row[name] == row[name]}
        profile, context = (
            {name.removeprefix(prefix): value for name, value in told.items() if name.startswith(prefix)}
            for prefix in (_PER_PROFILE, _PER_CONTEXT)
        )
        if RIVALS in row:
            context["competitor_prices"] = [money(row[RIVALS])]
        return QuoteRequest.model_validate(
            {
                "shopper": {"id": row["shopper_id"], "profile": profile},
                "product": {
                    "id": row["product_id"],
                    "list_price": money(row["reference_price"]),
                    "cost": money(row["cost"]),
                },
                "context": {**context, "at": row["at"].isoformat()},
            }
        )

    def _write(self, name: str, table: pd.DataFrame) -> None:
        table.to_csv(self._folder / f"{name}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")

    def _command(self, *words: str) -> Mapping[str, Any]:
        """Run a command of Pricesmith in the folder; returns what it prints as JSON."""
        place = ("--data-dir", str(self._folder), "--json")
        root = Path(__file__).parents[2]
        done = subprocess.run(  # noqa: S603 our own command
            (sys.executable, "-m", "agent.cli", *words, *place),
            cwd=self._folder,
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"{' '.join(words)} in {self._folder}: {_last(done.stderr) or _last(done.stdout)}")
        found: Mapping[str, Any] = json.loads(done.stdout)
        return found


def stepped_price(data: RealSet, factor: float) -> Floats:
    """Prices times a factor, in whole minor units."""
    price = data.offers["price"].to_numpy(np.float64) * factor
    return np.asarray(np.round(price, fraction_digits(data.currency)))


def sampled(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most `MOST_QUOTES` of some rows, drawn by a fixed seed."""
    return np.sort(np.random.default_rng(_SEED).choice(rows, min(len(rows), MOST_QUOTES), replace=False))


def template_shop(folder: Path, currency: str, progress: Progress) -> Path:
    """Make an empty shop with models, to be copied for each set of the currency."""
    make_shop(folder, {"currency": currency}, SystemClock(), progress)
    return folder


def _last(text: str, lines: int = 5) -> str:
    kept: Sequence[str] = text.strip().splitlines()[-lines:]
    return " ".join(kept)
