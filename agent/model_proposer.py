"""The strategist as the pipeline calls it: prompts rendered, answers cached, the deadline kept."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.decision import Rung
from models.strategist import ProposalRequest, Strategist, Written
from models.strategist_facts import StrategistFacts
from prompts import Prompt

K: Final = 8
_CHUNK: Final = 16
_FIRST_MS: Final = 40.0
_LEARN: Final = 0.2
_SURPRISE: Final = 4.0
_FORGET: Final = 0.9

ClockMs = Callable[[], float]


@dataclass(frozen=True, slots=True)
class ModelProposals:
    """What the strategist wrote for one request, and on which rung of the deadline ladder."""

    written: tuple[Written, ...]
    rung: Rung


class Pace:
    """Expected milliseconds to answer one prompt.

    A moving mean in which one call counts for at most four times the mean, and which shrinks whenever it was the
    reason not to call: a slow call keeps the model off for some quotes, never for good.
    """

    def __init__(self) -> None:
        """Start from what two cores take."""
        self.ms = _FIRST_MS

    def took(self, ms: float) -> None:
        """Learn from a call."""
        self.ms += _LEARN * (min(ms, _SURPRISE * self.ms) - self.ms)

    def held_off(self) -> None:
        """Forget a little, as nothing was learned."""
        self.ms *= _FORGET


def prompt_text(prompt: Prompt, facts: StrategistFacts) -> str:
    """The facts that a prompt names, as the strategist reads them."""
    known = facts.variables()
    return prompt.render(**{name: known[name] for name in prompt.variables if name in known}).text


class ModelProposer:
    """The strategist behind a cache of prompts; answers what it can within the time it is given."""

    def __init__(self, strategist: Strategist | None, prompt: Prompt, capacity: int = 20_000) -> None:
        """Render with `prompt`, the one that the strategist was trained on; without a strategist nothing is written."""
        self._strategist = strategist
        self.prompt = prompt
        self._capacity = capacity
        self._known: OrderedDict[ProposalRequest, tuple[Written, ...]] = OrderedDict()
        self._pace = Pace()
        self.trouble: str | None = None
        """Why the last generation failed; None when it did not. Quotes go on without it meanwhile."""

    @property
    def state(self) -> str:
        """`ok`, `off` without a strategist, or why the last generation failed."""
        return self.trouble or ("off" if self._strategist is None else "ok")

    def request(self, facts: StrategistFacts) -> ProposalRequest:
        """The rendered prompt and the levers and anchors of a situation."""
        return ProposalRequest(prompt_text(self.prompt, facts), facts.levers(), facts.anchors())

    def propose(
        self, facts: Sequence[StrategistFacts], left_ms: Sequence[float], clock_ms: ClockMs
    ) -> list[ModelProposals]:
        """Model, else cached, else nothing (numeric rung), by what each request's deadline leaves."""
        requests = [self.request(one) for one in facts]
        answers: dict[ProposalRequest, tuple[Written, ...]] = {
            request: self._known[request] for request in requests if request in self._known
        }
        wanted: dict[ProposalRequest, float] = {}
        for request, left in zip(requests, left_ms, strict=True):
            if request not in answers:
                wanted[request] = max(left, wanted.get(request, 0.0))
        fresh = self._generate(self._strategist, wanted, clock_ms) if self._strategist is not None else {}
        rungs = []
        for request in requests:
            written = fresh.get(request) or answers.get(request) or ()
            rung = Rung.MODEL if request in fresh else Rung.CACHED if written else Rung.NUMERIC
            rungs.append(ModelProposals(written, rung))
        return rungs

    def _generate(
        self, strategist: Strategist, wanted: dict[ProposalRequest, float], clock_ms: ClockMs
    ) -> dict[ProposalRequest, tuple[Written, ...]]:
        """Generate in small batches, tightest deadlines last, until the time of those left is up."""
        fresh: dict[ProposalRequest, tuple[Written, ...]] = {}
        start = clock_ms()
        queue = sorted(wanted, key=lambda request: -wanted[request])
        for first in range(0, len(queue), _CHUNK):
            chunk = [
                request
                for request in queue[first : first + _CHUNK]
                if wanted[request] - (clock_ms() - start) > self._pace.ms * min(_CHUNK, len(queue) - first)
            ]
            if not chunk:
                self._pace.held_off()
                break
            began = clock_ms()
            try:
                written = strategist.propose(chunk, K)
            except RuntimeError as error:  # torch's, out of memory for one: no quote fails for want of a proposal
                self.trouble = f"generation failed: {type(error).__name__}; quotes come from a lower rung"
                break
            self.trouble = None
            fresh.update(zip(chunk, map(tuple, written), strict=True))
            self._pace.took((clock_ms() - began) / len(chunk))
        self._known.update(fresh)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return fresh
