"""Generates clients: with the tools of `make test-all`, in an environment of their own."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[3]
TOOLS: Final = Path(os.environ.get("NEXTOFFER_TEST_CLIENTS", ROOT / ".venv-clients"))
PYTHON: Final = TOOLS / "bin" / "python"
SCRIPTS: Final = Path(__file__).parent / "scripts"
TIMEOUT_SECONDS: Final = 300


def need(*tools: Path | str) -> None:
    """Skip a test whose tools are not on this machine; where CI runs, all of them must be."""
    missing = [str(tool) for tool in tools if not (tool.exists() if isinstance(tool, Path) else shutil.which(tool))]
    if missing:
        message = f"not on this machine: {', '.join(missing)}; `make test-all` sets up what it can"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


def run(*command: str | Path, folder: Path) -> str:
    """Run a command and return what it wrote; fails with it where the command fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder), "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def write_contract(contract: dict[str, Any], folder: Path) -> Path:
    """Write a contract to a file."""
    path = folder / "contract.json"
    path.write_text(json.dumps(contract), encoding="utf-8")
    return path


def openapi_generator(contract: dict[str, Any], folder: Path) -> None:
    """Generate the package ``shop_client`` with openapi-generator, which runs on Java."""
    need("java", PYTHON)
    (jar,) = TOOLS.glob("lib/python*/site-packages/openapi_generator_cli/openapi-generator.jar")
    document, options = write_contract(contract, folder), "packageName=shop_client"
    run("java", "-jar", jar, "generate", "-g", "python", "-i", document, "-o", folder, "-p", options, folder=folder)


def openapi_python_client(contract: dict[str, Any], folder: Path) -> None:
    """Generate the package ``shop_client`` with openapi-python-client."""
    need(PYTHON)
    (folder / "config.yaml").write_text("package_name_override: shop_client\npost_hooks: []\n", encoding="utf-8")
    document, output = write_contract(contract, folder), folder / "shop_client"
    tool = TOOLS / "bin" / "openapi-python-client"
    run(
        tool, "generate", "--path", document, "--meta", "none", "--output-path", output,
        "--config", folder / "config.yaml", folder=folder,
    )  # fmt: skip
