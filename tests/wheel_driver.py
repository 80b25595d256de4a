"""A shop from the wheel alone, in one process: run by the tests of the wheel with the Python of an environment that
holds it, outside the repository. Arguments: folder for the shop, folder of built models, folders that may not be read.
"""

import json
import sys
from pathlib import Path
from typing import Any

SHOP, BUILT, REPOSITORY, ALLOWED = (Path(word).resolve() for word in sys.argv[1:5])


def refuse_repository(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse files of the repository, other than those of its environment's packages."""
    if event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path = Path(arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]).resolve()
    if path.is_relative_to(REPOSITORY) and not path.is_relative_to(ALLOWED) and not path.is_relative_to(BUILT):
        raise RuntimeError(f"{path} belongs to the repository: it is not in the wheel")


sys.addaudithook(refuse_repository)

import os  # noqa: E402

from typer.testing import CliRunner  # noqa: E402

from agent.cli.main import app  # noqa: E402

os.environ["PRICESMITH_BUILT_MODELS_DIR"] = str(BUILT)
os.environ["PRICESMITH_DATA_DIR"] = str(SHOP)
os.environ["PRICESMITH_DEFAULT_DEADLINE_MS"] = "30000"


def run(*words: str, code: int = 0) -> str:
    """The output of a command that must end with `code`."""
    done = CliRunner().invoke(app, list(words))
    if done.exit_code != code:
        raise SystemExit(f"{words}: {done.exit_code}, {done.output}, {done.exception!r}")
    return done.stdout or str(done.exception)


def write_files(folder: Path) -> None:
    """One product and a few offers of it."""
    (folder / "products.csv").write_text("product_id,title,list_price,cost\nkettle-1,Kettle,39.90,24\n")
    rows = [f"s{n},kettle-1,{39.9 - n % 3:.2f},39.90,{n % 2},2026-03-0{1 + n % 9}T10:00:00Z" for n in range(9)]
    (folder / "outcomes.csv").write_text("\n".join(["shopper_id,product_id,price,reference_price,bought,at", *rows]))


made = json.loads(run("init", str(SHOP), "--currency", "EUR", "--json"))
write_files(Path.cwd())
assert json.loads(run("import", "products", "products.csv", "--json"))["store"] == "own"
assert json.loads(run("import", "outcomes", "outcomes.csv", "--json"))["new"] == 9
refused = run("train", "evaluator", "--version", "mine", code=1)
assert "9 outcomes" in refused or "outcomes" in refused, refused

from litestar.testing import TestClient  # noqa: E402

from agent.asgi import create  # noqa: E402

with TestClient(create()) as client:
    client.headers["authorization"] = f"Bearer {Path(made['API key']).read_text().strip()}"
    quote = client.post("/v1/quotes?view=merchant", json={"shopper": {"id": "s1"}, "product": {"id": "kettle-1"}})
    explained = client.post(f"/v1/quotes/{quote.json()['id']}/explanations", json={})
    schema = client.get("/schema/openapi.json")
    ready = client.get("/readyz").json()

import agent  # noqa: E402

print(
    json.dumps(
        {
            "from": str(Path(agent.__file__).resolve()),
            "statuses": [quote.status_code, explained.status_code, schema.status_code],
            "currency": quote.json()["price"]["currency"],
            "answer": explained.json()["answer"],
            "store": ready["store"],
        }
    )
)
