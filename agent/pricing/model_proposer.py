"""The strategist as the pipeline calls it: prompts rendered, answers cached, the deadline kept."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import Rung
from models.strategist.facts import StrategistFacts
from models.strategist.strategist import ProposalRequest, Strategist, Written
from prompts import Prompt

K: Final = 8
_CHUNK: Final = 16
_FIRST_MS: Final = 40.0
_EACH: Final = 0.3
_SHARE: Final = 0.5
_PATIENCE: Final = 0.4
_SHORT_MS: Final = 1_000.0
_LEARN: Final = 0.2
_SURPRISE: Final = 4.0
_FORGET: Final = 0.9
_LEAST_MS: Final = 4.0

TimeMs = Callable[[], float]


def model_time_ms(deadline_ms: float, left_ms: float, waited_ms: float) -> float:
    """Milliseconds that the language model may take for a request: half of what is left of its deadline at most.

    The other half is for the steps that follow, and for those who arrived meanwhile. The longer a request waited for
    its turn, the longer is the queue that every prompt makes longer still: that counts twice, all else that went by
    once, against two fifths of its deadline, of a second where that is shorter.
    """
    patience_ms = _PATIENCE * max(_SHORT_MS, deadline_ms)
    return min(_SHARE * left_ms, patience_ms - (deadline_ms - left_ms) - waited_ms)


@dataclass(frozen=True, slots=True)
class ModelProposals:
    """What the strategist wrote for one request, and on which rung of the deadline ladder."""

    written: tuple[Written, ...]
    rung: Rung


class Pace:
    """Expected milliseconds to answer a number of prompts together: what a call takes and what each prompt adds.

    Learned by normalised least mean squares, in which one call counts for at most four times what was expected of it,
    and shrunk whenever it was the reason not to call: a slow call keeps the model off for some quotes, never for good.
    """

    def __init__(self) -> None:
        """Start from what two cores take: most of the time for the first prompt is the call's."""
        self._ms = np.full(2, _FIRST_MS)

    def expected(self, n: int) -> float:
        """Milliseconds for `n` prompts in one call."""
        return float(self._ms @ _parts(n))

    def fits(self, left_ms: float, n: int) -> int:
        """How many of `n` prompts one call can answer in the time left."""
        return next((count for count in range(n, 0, -1) if self.expected(count) < left_ms), 0)

    def took(self, n: int, ms: float) -> None:
        """Learn from a call with `n` prompts."""
        expected, parts = self.expected(n), _parts(n)
        surprise = min(ms, _SURPRISE * expected) - expected
        self._ms = np.maximum(self._ms + _LEARN * surprise * parts / (parts @ parts), 0.0)

    def held_off(self) -> None:
        """Forget a little, as nothing was learned, but never so much that it takes many calls to learn it again."""
        self._ms = np.maximum(_FORGET * self._ms, np.minimum(self._ms, _LEAST_MS))


def _parts(n: int) -> NDArray[np.float64]:
    """What `n` prompts cost of a call's and of a prompt's own time, one prompt being 1 in all."""
    return np.array([1 - _EACH, _EACH * n])


def prompt_text(prompt: Prompt, facts: StrategistFacts) -> str:
    """The facts that a prompt names, as the strategist reads them."""
    known = facts.variables()
    return prompt.render(**{name: known[name] for name in prompt.variables if name in known}).text


class ModelProposer:
    """The strategist behind a cache of prompts; answers what it can within the time it is given."""

    def __init__(self, strategist: Strategist | None, prompt: Prompt, capacity: int = 20_000) -> None:
        """Render with `prompt`, the one that the strategist was trained on; without a strategist nothing is written.

        The `capacity` prompts used last are kept.
        """
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

    def propose(self, facts: Sequence[StrategistFacts], time_ms: TimeMs) -> list[ModelProposals]:
        """Model, else cached, else nothing (numeric rung), by the time that generation may take from now on."""
        requests = [self.request(one) for one in facts]
        answers = {request: self._known[request] for request in requests if request in self._known}
        for request in answers:
            self._known.move_to_end(request)
        wanted = list(dict.fromkeys(request for request in requests if request not in answers))
        fresh = self._generate(self._strategist, wanted, time_ms) if self._strategist is not None else {}
        rungs = []
        for request in requests:
            written = fresh.get(request) or answers.get(request) or ()
            rung = Rung.MODEL if request in fresh else Rung.CACHED if written else Rung.NUMERIC
            rungs.append(ModelProposals(written, rung))
        return rungs

    def _generate(
        self, strategist: Strategist, wanted: Sequence[ProposalRequest], time_ms: TimeMs
    ) -> dict[ProposalRequest, tuple[Written, ...]]:
        """Generate in small batches, in the order of the requests, as long as the time is enough."""
        fresh: dict[ProposalRequest, tuple[Written, ...]] = {}
        while len(fresh) < len(wanted):
            chunk = wanted[len(fresh) : len(fresh) + _CHUNK]
            left = time_ms()
            chunk = chunk[: self._pace.fits(left, len(chunk))]
            if not chunk:
                if not fresh:
                    self._pace.held_off()
                break
            try:
                written = strategist.propose(chunk, K)
            except RuntimeError as error:  # torch's, out of memory for one: no quote fails for want of a proposal
                self.trouble = f"generation failed: {type(error).__name__}; quotes come from a lower rung"
                break
            self.trouble = None
            fresh.update(zip(chunk, map(tuple, written), strict=True))
            self._pace.took(len(chunk), left - time_ms())
        self._known.update(fresh)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return fresh
