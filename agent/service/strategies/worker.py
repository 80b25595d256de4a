"""Process that writes strategies, started by a server: `python -m agent.service.strategies.worker`.

It runs one thread at the lowest priority, so that quotes of the server beside it hardly wait.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import IO, Final

from agent.service.strategies.messages import FACTS, Answer, Start

_NICE: Final = 19


def run() -> None:
    """Read situations from standard input until it closes, and answer each list of them."""
    _step_back()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the server too, which decides
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no message
    with open(sys.stdin.fileno(), "rb", closefd=False) as asked, suppress(BrokenPipeError):
        _answer_all(asked, out)


def _step_back() -> None:
    """Take the processor when nothing else wants it."""
    with suppress(OSError):
        os.nice(_NICE)
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _answer_all(asked: IO[bytes], out: IO[str]) -> None:
    import torch  # after stepping back: loading it takes seconds

    from agent.pricing.model_proposer import K, proposal_request
    from models.strategist.proposals import to_rows
    from models.strategist.strategist import load_strategist
    from prompts import load_prompt

    torch.set_num_threads(1)
    start = Start.model_validate_json(asked.readline())
    prompt = load_prompt("strategist", start.prompt_version)
    strategist = load_strategist(start.folder, start.version)
    for line in asked:
        requests = [proposal_request(prompt, facts) for facts in FACTS.validate_json(line)]
        try:
            answer = Answer(written=[to_rows(written) for written in strategist.propose(requests, K)])
        except RuntimeError as error:  # torch's, such as out of memory
            answer = Answer(trouble=f"generation failed: {type(error).__name__}")
        out.write(answer.model_dump_json() + "\n")
        out.flush()


if __name__ == "__main__":
    run()
