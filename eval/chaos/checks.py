"""What must hold after a kill: nothing acknowledged lost or doubled, the log whole, the learner a replay of it."""

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
    """What was found wrong, in words; `repeated` are requests without an answer that were carried out twice."""

    problems: list[str] = field(default_factory=list)
    repeated: int = 0

    def tell(self, problem: str) -> None:
        """Note a problem once, the first few of them."""
        if problem not in self.problems and len(self.problems) < _SHOWN:
            self.problems.append(problem)


def check_store(store: Store, journal: Journal, found: Findings) -> None:
    """Count what the store holds against what was acknowledged; the server need not run."""
    decisions: dict[str, list[tuple[str, int]]] = {}
    for decision, _ in store.logged():
        decisions.setdefault(decision.shopper_id or "", []).append((decision.id, decision.price_minor))
    sold = Counter(event.shopper_id for _, event in store.events_since(0) if event.type is EventType.PURCHASE)
    told = Counter((outcome.shopper_id, outcome.type.value) for _, outcome in store.outcomes_since(0))
    for shopper, quote in journal.quotes.items():
        kept = decisions.get(shopper, [])
        if (quote.quote_id, quote.price_minor) not in kept:
            found.tell(f"quote {quote.quote_id} was acknowledged and is lost")
        if len(kept) > 1:
            found.tell(f"quote {quote.quote_id} was acknowledged and its shopper has {len(kept)} decisions")
    for shopper, kind in journal.outcomes.items():
        if told[shopper, kind] != 1:
            found.tell(f"outcome of {shopper} was acknowledged and is stored {told[shopper, kind]} times")
        if sold[shopper] != (kind == "purchased"):
            found.tell(f"outcome of {shopper} is {kind} and counts as {sold[shopper]} sales")
    unacknowledged = [  # a world that was served before holds decisions of other shoppers
        kept for shopper, kept in decisions.items() if shopper.startswith(SHOPPERS) and shopper not in journal.quotes
    ]
    found.repeated = sum(len(kept) > 1 for kept in unacknowledged)


def check_log(store: Store, signer: TokenSigner, found: Findings) -> int:
    """Walk along the audit log; returns its rows."""
    report = store.audit_report(signer.is_sealed)
    for problem in report.problems:
        found.tell(f"audit: {problem}")
    if report.rows and not report.sealed:
        found.tell("audit: the head bears no signature")
    return report.rows


def check_learner(store: Store, folder: DataFolder, found: Findings) -> int:
    """What a start would resume to equals the whole log learned anew; returns the lessons."""
    version = Registry(folder.models).active(ModelKind.EVALUATOR)
    in_domain = StoreClock.from_meta(store.meta).history_end is not None  # the shipped evaluator is the demo store's
    with tempfile.TemporaryDirectory() as scratch:  # both may save, neither into the service's own folder
        if folder.learning.exists():
            shutil.copytree(folder.learning, Path(scratch) / "resumed")
        anew, resumed = (Learner(Path(scratch) / name, version, in_domain=in_domain) for name in ("anew", "resumed"))
        for learner in (anew, resumed):
            learner.catch_up(store)
    ours, theirs = anew.effects.to_arrays(), resumed.effects.to_arrays()
    same = anew.effects.names == resumed.effects.names and ours.keys() == theirs.keys()
    if not same or not all(np.array_equal(ours[name], theirs[name]) for name in ours):
        found.tell(f"the learner resumes to another state than the log gives ({resumed.effects.lessons} lessons)")
    return anew.effects.lessons


def check_tokens(http: httpx.Client, quotes: Iterable[AckedQuote], journal: Journal, found: Findings) -> int:
    """Tokens issued before the kill hold their price, used where a purchase was reported; returns how many were asked.

    Whether a purchase that was never acknowledged has been kept, the journal cannot know.
    """
    asked = 0
    for quote in quotes:
        answer = http.post("/v1/quotes/verify", json={"token": quote.token})
        body = answer.json()
        asked += 1
        held = answer.status_code == 200 and body["status"] in _statuses(quote, journal)
        if not held or body["price"]["amount_minor"] != quote.price_minor:
            found.tell(f"token of quote {quote.quote_id} answers {answer.status_code} {str(body)[:120]}")
    return asked


def _statuses(quote: AckedQuote, journal: Journal) -> tuple[str, ...]:
    if outcome_type(quote.quote_id) != "purchased":
        return ("valid",)
    return ("used",) if quote.asked.about in journal.outcomes else ("valid", "used")
