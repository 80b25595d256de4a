"""Records decisions three at a time until it is killed, and prints their ids after each transaction."""

import sys
from itertools import count

from agent.store import Store
from tests.agent.store.builders import decision

if __name__ == "__main__":
    store = Store.open(sys.argv[1])
    for number in count():
        store.record_decisions([decision(id=f"{number}-{part}") for part in range(3)])
        print(number, flush=True)
