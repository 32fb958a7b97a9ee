"""Run every benchmark, or those that are named: ``python -m benchmarks import train score``."""

import importlib
import sys

NAMES = (
    "import", "train", "relationships", "customers", "propensity", "propensity_growth", "strategies", "repeats",
    "score", "live", "serving", "policies", "listed_policies", "dashboard", "goals", "pacing",
)  # fmt: skip


def main(names: list[str]) -> int:
    if unknown := set(names) - set(NAMES):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        importlib.import_module(f"benchmarks.bench_{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
