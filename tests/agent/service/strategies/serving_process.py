"""A process that serves as `pricesmith serve` does: quotes, waits for strategies, quotes again, tells what it saw."""

import json
import sys
from pathlib import Path

import psutil

from agent.asgi import _open_to_serve
from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.service.settings import Settings


def main(folder: Path, shopper: str, product: str) -> None:
    settings = Settings(data_dir=folder, default_deadline_ms=30_000, stable_prices=False, threads=1)
    service = _open_to_serve(settings).service
    request = QuoteRequest.model_validate({"shopper": {"id": shopper}, "product": {"id": product}})

    def rung() -> str:
        answer = service.quote([request])[0]
        assert isinstance(answer, Decision)
        return answer.rung.value

    found: dict[str, object] = {"first": rung(), "written": service.write_strategies(120)}
    found |= {"then": rung(), "checks": dict(service.readiness().checks), "torch": "torch" in sys.modules}
    children = psutil.Process().children(recursive=True)
    found["nice"] = [child.nice() for child in children]
    service.close()
    found["left"] = len(psutil.Process().children(recursive=True))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
