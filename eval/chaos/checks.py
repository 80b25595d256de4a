"""Checks after a kill: nothing acknowledged is lost or duplicated, and audit log and learner state are consistent."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from agent.domain.clock import StoreClock
from agent.domain.records import EventType
from agent.service.auth.quote_tokens import TokenSigner
from agent.state.online_learner import Learner
from agent.store import Store
from agent.store.data_folder import DataFolder
from eval.chaos.load import SHOPPERS, AckedQuote, Journal, outcome_type
from models.registry.registry import ModelKind, Registry

_SHOWN: Final = 20


@dataclass(slots=True)
class Findings:
    """Violations found; `repeated` counts unacknowledged requests that were executed twice."""

    problems: list[str] = field(default_factory=list)
    repeated: int = 0

    def add(self, problem: str) -> None:
        """Add a problem unless it is known; at most 20 are kept."""
        if problem not in self.problems and len(self.problems) < _SHOWN:
            self.problems.append(problem)


def check_store(store: Store, journal: Journal, found: Findings) -> None:
    """Compare the store with the acknowledged requests; the server need not run."""
    decisions: dict[str, list[tuple[str, int]]] = {}
    for decision, _ in store.logged():
        decisions.setdefault(decision.shopper_id or "", []).append((decision.id, decision.price_minor))
    sold = Counter(event.shopper_id for _, event in store.events_since(0) if event.type is EventType.PURCHASE)
    reported = Counter((outcome.shopper_id, outcome.type.value) for _, outcome in store.outcomes_since(0))
    for shopper, quote in journal.quotes.items():
        kept = decisions.get(shopper, [])
        if (quote.quote_id, quote.price_minor) not in kept:
            found.add(f"quote {quote.quote_id} was acknowledged and is lost")
        if len(kept) > 1:
            found.add(f"quote {quote.quote_id} was acknowledged and its shopper has {len(kept)} decisions")
    for shopper, kind in journal.outcomes.items():
        if reported[shopper, kind] != 1:
            found.add(f"outcome of {shopper} was acknowledged and is stored {reported[shopper, kind]} times")
        if sold[shopper] != (kind == "purchased"):
            found.add(f"outcome of {shopper} is {kind} and counts as {sold[shopper]} sales")
    unacknowledged = [  # a store that was used before has decisions of other shoppers
        kept for shopper, kept in decisions.items() if shopper.startswith(SHOPPERS) and shopper not in journal.quotes
    ]
    found.repeated = sum(len(kept) > 1 for kept in unacknowledged)


def check_log(store: Store, signer: TokenSigner, found: Findings) -> int:
    """Verify the audit log; returns its number of rows."""
    report = store.audit_report(signer.is_sealed)
    for problem in report.problems:
        found.add(f"audit: {problem}")
    if report.rows and not report.sealed:
        found.add("audit: the last row has no signature")
    return report.rows


def check_learner(store: Store, folder: DataFolder, found: Findings) -> int:
    """Check that the resumed learner state equals a replay of the whole log; returns the number of lessons."""
    version = Registry(folder.models).active(ModelKind.EVALUATOR)
    in_domain = StoreClock.from_meta(store.meta).history_end is not None  # the shipped evaluator is the demo store's
    with tempfile.TemporaryDirectory() as scratch:  # both learners may save, but not into the service's folder
        if folder.learning.exists():
            shutil.copytree(folder.learning, Path(scratch) / "resumed")
        anew, resumed = (Learner(Path(scratch) / name, version, in_domain=in_domain) for name in ("anew", "resumed"))
        for learner in (anew, resumed):
            learner.catch_up(store)
    ours, theirs = anew.effects.to_arrays(), resumed.effects.to_arrays()
    same = anew.effects.names == resumed.effects.names and ours.keys() == theirs.keys()
    if not same or not all(np.array_equal(ours[name], theirs[name]) for name in ours):
        found.add(f"the resumed learner state differs from a replay of the log ({resumed.effects.lessons} lessons)")
    return anew.effects.lessons


def check_tokens(http: httpx.Client, quotes: Iterable[AckedQuote], journal: Journal, found: Findings) -> int:
    """Check that tokens issued before the kill keep their price and are used after a purchase; returns their number.

    A token may be used or valid if its purchase was never acknowledged.
    """
    checked = 0
    for quote in quotes:
        answer = http.post("/v1/quotes/verify", json={"token": quote.token})
        body = answer.json()
        checked += 1
        held = answer.status_code == 200 and body["status"] in _statuses(quote, journal)
        if not held or body["price"]["amount_minor"] != quote.price_minor:
            found.add(f"token of quote {quote.quote_id} answers {answer.status_code} {str(body)[:120]}")
    return checked


def _statuses(quote: AckedQuote, journal: Journal) -> tuple[str, ...]:
    if outcome_type(quote.quote_id) != "purchased":
        return ("valid",)
    return ("used",) if quote.request.shopper in journal.outcomes else ("valid", "used")
