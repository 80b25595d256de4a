"""The language model's part of step 3: its strategies for a situation, from memory.

No model runs while a quote waits. Strategies of a situation that memory does not know are written in the background and
serve the next quote; see `agent.service.strategies`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Protocol

from agent.domain.decision import Rung
from agent.state.known_strategies import KnownStrategies
from models.strategist.facts import ROUNDED, StrategistFacts
from models.strategist.proposals import ProposalRequest, Written
from prompts import Prompt, sanitise

K: Final = 8
_DIGEST_BYTES: Final = 16
_TEXTS: Final = 10_000

Rounded = tuple[Hashable, ...]
"""Rounded values that a prompt is rendered from, with the bits of the levers and anchors that are possible."""


def prompt_text(prompt: Prompt, facts: StrategistFacts) -> str:
    """The prompt's text, with the facts that it names."""
    known = facts.variables()
    return prompt.render(**{name: known[name] for name in prompt.variables if name in known}).text


def proposal_request(prompt: Prompt, facts: StrategistFacts) -> ProposalRequest:
    """The rendered prompt and the levers and anchors of a situation."""
    return ProposalRequest(prompt_text(prompt, facts), facts.levers(), facts.anchors())


def rounding(prompt: Prompt) -> Callable[[StrategistFacts], Rounded]:
    """A function that rounds facts: the results are equal where prompt, levers and anchors are, and only there."""
    told = prompt.variables
    reads = [
        _sanitised(ROUNDED[name]) if variable.untrusted else ROUNDED[name]
        for name, variable in told.items()
        if name in ROUNDED and not (name == "elasticity" and "sales" in told)  # it follows from sales
    ]

    def rounded(facts: StrategistFacts) -> Rounded:
        return (*[read(facts) for read in reads], facts.lever_bits, facts.anchor_bits)

    return rounded


def situation_of(rounded: Rounded) -> str:
    """Digest of rounded facts, by which memory and store know a situation."""
    return blake2b(repr(rounded).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _sanitised(read: Callable[[StrategistFacts], Hashable]) -> Callable[[StrategistFacts], Hashable]:
    safe = lru_cache(_TEXTS)(sanitise)
    return lambda facts: safe(str(read(facts)))


@dataclass(frozen=True, slots=True)
class ModelProposals:
    """Strategies written for one request, and their rung of the deadline ladder."""

    written: tuple[Written, ...]
    rung: Rung


class StrategyWriter(Protocol):
    """Writes strategies for situations that memory does not know, and adds them to it."""

    at_once: bool
    """True where `ask` returns when the strategies are written: for evaluations and commands, not for a server."""

    @property
    def trouble(self) -> str | None:
        """Reason why nothing was written at last; None when all is well."""
        ...

    def ask(self, memory: KnownStrategies, situations: Mapping[str, StrategistFacts]) -> None:
        """Ask for strategies of situations, for one memory; never waits for another process."""
        ...

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything asked for is written; False when it took too long."""
        ...

    def leave(self, memory: KnownStrategies) -> None:
        """Write no more for a memory; a writer that serves none ends its work."""
        ...


class ModelProposer:
    """Proposes the strategies that memory knows, and asks the writer for the others."""

    def __init__(
        self, prompt: Prompt, memory: KnownStrategies | None = None, writer: StrategyWriter | None = None
    ) -> None:
        """Know situations by `prompt`, which the strategist was trained on; without memory nothing is proposed."""
        self.prompt = prompt
        self.memory = memory
        self._writer = writer
        self._rounded = rounding(prompt)
        self.trouble: str | None = None
        """Reason why there is no strategist, though the settings ask for one."""

    @property
    def state(self) -> str:
        """`ok`, `off` without a strategist, or why nothing was written at last."""
        if self.trouble is not None or self._writer is None:
            return self.trouble or "off"
        return self._writer.trouble or "ok"

    def propose(self, facts: Sequence[StrategistFacts]) -> list[ModelProposals]:
        """Known strategies of each situation (rung `cached`), else none (`numeric`).

        A writer that works at once, for evaluations, brings strategies for unknown situations too (rung `model`).
        """
        if self.memory is None or self._writer is None:
            return [_NONE] * len(facts)
        situations = [situation_of(self._rounded(one)) for one in facts]
        found = self.memory.find(situations)
        unknown = {s: one for s, one, written in zip(situations, facts, found, strict=True) if written is None}
        if not unknown:
            return [_cached(written) for written in found]
        self._writer.ask(self.memory, unknown)
        now = self.memory.find(situations) if self._writer.at_once else found
        return [
            _cached(before) if before is not None or not written else ModelProposals(written, Rung.MODEL)
            for before, written in zip(found, now, strict=True)
        ]

    def follow(self) -> None:
        """Take in strategies that other processes stored.

        Raises:
            StoreError: The store failed.
        """
        if self.memory is not None:
            self.memory.follow()

    def drain(self, timeout_s: float) -> bool:
        """Wait until strategies of all situations asked about are written; False when it took too long."""
        return self._writer is None or self._writer.drain(timeout_s)

    def close(self) -> None:
        """Stop writing."""
        if self.memory is not None and self._writer is not None:
            self.memory.close()
            self._writer.leave(self.memory)


_NONE: Final = ModelProposals((), Rung.NUMERIC)


def _cached(written: tuple[Written, ...] | None) -> ModelProposals:
    return ModelProposals(written, Rung.CACHED) if written else _NONE
