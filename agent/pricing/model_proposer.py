"""The language model's part of step 3: prompts rendered, answers cached, the deadline kept."""

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
    """Milliseconds that the language model may take for a request: at most half of the time left.

    The other half is for the steps that follow and for requests that arrived meanwhile. A long wait means a long queue,
    which each prompt lengthens: time in the queue counts twice and other elapsed time once, against 2/5 of the deadline
    (of one second where the deadline is shorter).
    """
    patience_ms = _PATIENCE * max(_SHORT_MS, deadline_ms)
    return min(_SHARE * left_ms, patience_ms - (deadline_ms - left_ms) - waited_ms)


@dataclass(frozen=True, slots=True)
class ModelProposals:
    """Strategies written for one request, and their rung of the deadline ladder."""

    written: tuple[Written, ...]
    rung: Rung


class Pace:
    """Estimate of generation time: milliseconds a call plus milliseconds a prompt.

    Fitted by normalised least mean squares (Widrow and Hoff 1960), each call capped at four times its expectation. A
    skipped call decays the estimate, so that one slow call cannot disable the model.
    """

    def __init__(self) -> None:
        """Start from measurements on two cores: most of the first prompt's time is the call's."""
        self._ms = np.full(2, _FIRST_MS)

    def expected(self, n: int) -> float:
        """Milliseconds for `n` prompts in one call."""
        return float(self._ms @ _parts(n))

    def fits(self, left_ms: float, n: int) -> int:
        """Number of `n` prompts that one call can answer in the time left."""
        return next((count for count in range(n, 0, -1) if self.expected(count) < left_ms), 0)

    def took(self, n: int, ms: float) -> None:
        """Update the estimate with a call of `n` prompts."""
        expected, parts = self.expected(n), _parts(n)
        surprise = min(ms, _SURPRISE * expected) - expected
        self._ms = np.maximum(self._ms + _LEARN * surprise * parts / (parts @ parts), 0.0)

    def held_off(self) -> None:
        """Decay the estimate after a skipped call, down to `_LEAST_MS` at most."""
        self._ms = np.maximum(_FORGET * self._ms, np.minimum(self._ms, _LEAST_MS))


def _parts(n: int) -> NDArray[np.float64]:
    """Weights of call time and prompt time for `n` prompts, `(2,)`; one prompt weighs 1 in all."""
    return np.array([1 - _EACH, _EACH * n])


def prompt_text(prompt: Prompt, facts: StrategistFacts) -> str:
    """The prompt's text, with the facts that it names."""
    known = facts.variables()
    return prompt.render(**{name: known[name] for name in prompt.variables if name in known}).text


class ModelProposer:
    """The strategist behind a cache of prompts; answers as many as fit the time given."""

    def __init__(self, strategist: Strategist | None, prompt: Prompt, capacity: int = 20_000) -> None:
        """Render with `prompt`, which the strategist was trained on; without a strategist nothing is generated.

        Keep the `capacity` prompts used last.
        """
        self._strategist = strategist
        self.prompt = prompt
        self._capacity = capacity
        self._known: OrderedDict[ProposalRequest, tuple[Written, ...]] = OrderedDict()
        self._pace = Pace()
        self.trouble: str | None = None
        """Why the last generation failed, None when it did not; quotes are made without it meanwhile."""

    @property
    def state(self) -> str:
        """`ok`, `off` without a strategist, or why the last generation failed."""
        return self.trouble or ("off" if self._strategist is None else "ok")

    def request(self, facts: StrategistFacts) -> ProposalRequest:
        """The rendered prompt and the levers and anchors of a situation."""
        return ProposalRequest(prompt_text(self.prompt, facts), facts.levers(), facts.anchors())

    def propose(self, facts: Sequence[StrategistFacts], time_ms: TimeMs) -> list[ModelProposals]:
        """Strategies generated now, else cached, else none (numeric rung); `time_ms` is the time left to generate."""
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
        """Generate in small batches, in the order of the requests, while time is left."""
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
            except RuntimeError as error:  # torch's, such as out of memory: a quote needs no proposal of the model
                self.trouble = f"generation failed: {type(error).__name__}; quotes come from a lower rung"
                break
            self.trouble = None
            fresh.update(zip(chunk, map(tuple, written), strict=True))
            self._pace.took(len(chunk), left - time_ms())
        self._known.update(fresh)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return fresh
