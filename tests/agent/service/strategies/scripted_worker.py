"""A writing process that does what its first argument says, with the messages of the real one."""

import json
import os
import signal
import sys
import time

from agent.service.strategies.messages import FACTS, Answer, Start

HOLD = ("hold", "reference", 0, "exact", -1.0)


def main(do: str) -> None:
    start = Start.model_validate_json(sys.stdin.readline())
    if do == "die once" and not start.folder.exists():
        start.folder.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    for line in sys.stdin:
        facts = FACTS.validate_json(line)
        if do == "slow":
            time.sleep(60)
        if do == "fail":
            print(Answer(trouble="generation failed: RuntimeError").model_dump_json(), flush=True)
        elif do == "babble":
            print(json.dumps({"written": "a lot"}), flush=True)
        else:
            print(Answer(written=[[HOLD] for _ in facts]).model_dump_json(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
