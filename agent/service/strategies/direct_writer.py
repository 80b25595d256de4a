"""Writer in this process, which writes before it returns: for evaluations, commands and tests."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from agent.pricing.model_proposer import K, proposal_request
from agent.state.known_strategies import KnownStrategies
from models.strategist.facts import StrategistFacts
from prompts import Prompt

if TYPE_CHECKING:
    from models.strategist.strategist import Strategist

CHUNK: Final = 16
"""Prompts of one call of the strategist."""


class DirectWriter:
    """Writes at once, with the strategist loaded by the first unknown situation."""

    at_once = True

    def __init__(self, load: "Callable[[], Strategist]", prompt: Prompt) -> None:
        """Render with `prompt`, which the strategist was trained on."""
        self._load = load
        self._prompt = prompt
        self.trouble: str | None = None

    @cached_property
    def _strategist(self) -> "Strategist":
        return self._load()

    def ask(self, memory: KnownStrategies, situations: Mapping[str, StrategistFacts]) -> None:
        """Write strategies of all situations and add them to memory; a failure leaves the rest unknown.

        Raises:
            RegistryError: The strategist cannot be loaded.
        """
        strategist, asked = self._strategist, list(situations.items())
        for start in range(0, len(asked), CHUNK):
            some = asked[start : start + CHUNK]
            requests = [proposal_request(self._prompt, facts) for _, facts in some]
            try:
                written = strategist.propose(requests, K)
            except RuntimeError as error:  # torch's, such as out of memory: a quote needs no proposal of the model
                self.trouble = f"generation failed: {type(error).__name__}; quotes come from a lower rung"
                return
            self.trouble = None
            memory.add({situation: items for (situation, _), items in zip(some, written, strict=True)})

    def drain(self, timeout_s: float) -> bool:
        """Return True: nothing ever waits."""
        return True

    def leave(self, memory: KnownStrategies) -> None:
        """Do nothing: no work goes on beside quotes."""
