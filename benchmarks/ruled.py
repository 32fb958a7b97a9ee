"""The demo under many rules: policies of each kind, sales goals, weights and caps, stored over HTTP."""

import random
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.asking import post
from benchmarks.homes import FOLDER, artifact_folder, demo_home, known, make_key
from benchmarks.servers import nextoffer_server
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore

N_POLICIES = 200
N_GOALS = 20
N_CAPPED = 1_000
AGES = ("19-24", "25-34", "35-44", "45-54", "55-64", "65+")
NAME = "demo-ruled"


def ruled_home() -> Path:
    """A copy of the demo's folder, with 200 policies, 20 goals and 1,000 capped products."""
    home = FOLDER / NAME
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(demo_home(), home)
    content = ArtifactStore(home / "var" / "artifacts", smoke_test).open(artifact_folder(home).name).content
    sold = content.popular_products[:10_000].tolist()
    lines = sorted({content.products.lines[row] for row in sold} - {""})
    categories = sorted({content.products.categories[row] for row in sold} - {""})
    products = known(home)[1]
    key = make_key(home, ("admin",))
    with nextoffer_server(home) as server:
        for policy in policies(lines, categories):
            post(server.port, key, "/v1/policies", policy)
        for goal in goals(categories):
            post(server.port, key, "/v1/goals", goal)
        cap = {"at_most": 1_000_000, "per": "product"}
        scope = {"products": products[:N_CAPPED]}
        post(server.port, key, "/v1/policies", {"name": "Capped", "type": "cap", "scope": scope, "cap": cap})
    return home


def policies(lines: Sequence[str], categories: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A quarter each by age, by age and price, by price alone, and by what is owned at a placement."""
    rng = random.Random(3)  # noqa: S311
    for number in range(N_POLICIES - 1):
        age: dict[str, Any] = {"attribute": "age", "op": "in", "values": rng.sample(AGES, 2)}
        age = {"all": [{"request": "has_account", "op": "eq", "value": True}, age]}
        price = {"product": "price_minor", "op": "gt", "value": rng.randrange(100, 400)}
        owned = {"owns": {"lines": [rng.choice(lines)]}}
        rules: dict[int, dict[str, Any]] = {
            0: age,
            1: {"all": [price, age]},
            2: price,
            3: {"all": [owned, {"request": "placement", "op": "eq", "value": "newsletter"}]},
        }
        scope = {"categories": rng.sample(categories, 6)}
        yield {"name": f"Policy {number}", "type": "eligibility", "withhold_if": rules[number % 4], "scope": scope}


def goals(categories: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Goals on categories for this year, and out of reach, so that each lifts."""
    for number, category in enumerate(random.Random(4).sample(categories, N_GOALS)):  # noqa: S311
        scope = {"categories": [category]}
        period = {"year": str(datetime.now(UTC).year)}
        yield {"name": f"Goal {number}", "scope": scope, "measure": "units", "target": 1e6, "period": period}
