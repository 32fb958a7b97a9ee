"""The command line itself: what it imports, its version, and how it prints lists."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from service.base import listing
from service.base.listing import print_list
from service.base.settings import Settings
from service.cli import COMMANDS, app
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world
from tests.service.conftest import make_key

RUNNER = CliRunner()
HEAVY = ("fastapi", "sqlalchemy", "alembic", "numpy", "pyarrow", "scipy", "implicit", "pydantic", "uvicorn")


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_nothing_heavy(option: str) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['nextoffer', {option!r}]\n"
        "from service.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))\n"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout
    assert run.stderr == ""


def test_listing_keys_imports_no_web_framework_and_no_numeric_library() -> None:
    program = (
        "import sys, service.auth.command\n"
        "from service.base.settings import Settings\n"
        "Settings()\n"
        "heavy = ('fastapi', 'starlette', 'alembic', 'numpy', 'pyarrow', 'scipy', 'limits', 'uvicorn')\n"
        "print(' '.join(name for name in heavy if name in sys.modules))\n"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == ""


def test_an_error_is_explained_without_importing_anything_for_it(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.argv = ['nextoffer', 'keys', 'list']\n"
        "from service.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert end.code == 1\n"
        "print(' '.join(name for name in ('alembic', 'numpy') if name in sys.modules))\n"
    )
    environment = os.environ | {"NEXTOFFER_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}"}

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)

    assert "Run: nextoffer db upgrade" in run.stderr
    assert run.stdout.strip() == ""


def test_the_version_is_that_of_the_package() -> None:
    result = RUNNER.invoke(app, ["--version"])

    assert (result.exit_code, result.stdout) == (0, f"nextoffer {version('nextoffer')}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    loaded = COMMANDS[name].load(name)

    assert " ".join(loaded.help.split("\n\n")[0].split()) == COMMANDS[name].help


def test_an_unknown_command_is_refused_with_the_nearest() -> None:
    result = RUNNER.invoke(app, ["artefacts"])

    assert result.exit_code == 2
    assert "Did you mean 'artifacts'?" in result.output


def test_keys_are_listed_as_json_and_as_tab_separated_text(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", database_url)
    key_id = make_key(database_url, "read,recommend").split("_")[1]

    (key,) = json.loads(RUNNER.invoke(app, ["keys", "list", "--json"]).stdout)
    header, row = RUNNER.invoke(app, ["keys", "list"]).stdout.splitlines()

    assert (key["key_id"], sorted(key["scopes"]), key["created_at"]) == (
        key_id,
        ["read", "recommend"],
        "2024-03-01T12:00:00Z",
    )
    assert header.split("\t")[:3] == ["key_id", "label", "scopes"]
    assert row.split("\t")[:2] == [key_id, "test"]


def test_artifacts_are_listed_and_shown_as_json_and_as_tab_separated_text(
    artifacts_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTOFFER_ARTIFACTS_DIR", str(artifacts_dir))
    made = write_world(artifacts_dir, coffee_world())
    ArtifactStore(artifacts_dir, smoke_test).activate(made)

    (artifact,) = json.loads(RUNNER.invoke(app, ["artifacts", "list", "--json"]).stdout)
    header, row = RUNNER.invoke(app, ["artifacts", "list"]).stdout.splitlines()
    manifest = json.loads(RUNNER.invoke(app, ["artifacts", "show", made, "--json"]).stdout)
    fields = dict(line.split("\t") for line in RUNNER.invoke(app, ["artifacts", "show", made]).stdout.splitlines())

    assert (artifact["version"], artifact["is_active"], artifact["state"]) == (made, True, "approved")
    assert dict(zip(header.split("\t"), row.split("\t"), strict=True))["version"] == made
    assert manifest["version"] == fields["version"] == made
    assert fields["counts.accounts"] == str(manifest["counts"]["accounts"])


def test_tabs_and_line_breaks_in_a_cell_part_no_columns_and_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(("a", "b"), [{"a": "x\ty\nz", "b": None}], is_json=False)

    assert capsys.readouterr().out == "a\tb\nx y z\t\n"


def test_tables_fold_long_cells_and_show_markup_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    text = "[bold]" + "0123456789" * 6

    listing.print_table(("a", "b"), [{"a": text, "b": text}])

    inside = "".join(character for character in capsys.readouterr().out if character.isalnum() or character in "[]")
    assert sum(character.isdigit() for character in inside) == 120
    assert (inside.count("["), inside.count("]")) == (2, 2)


def test_host_and_port_of_the_command_come_before_the_settings(
    database_url: str, artifacts_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", database_url)
    monkeypatch.setenv("NEXTOFFER_PORT", "8001")
    monkeypatch.setattr("service.server.serving.refuse_outdated_schema", lambda _url: None)
    monkeypatch.setattr("service.server.serving.signal.signal", lambda *_: None)

    seen: list[Settings] = []

    def note(settings: Settings) -> None:
        seen.append(settings)
        raise typer.Exit

    monkeypatch.setattr("service.server.serving.listen", note)

    RUNNER.invoke(app, ["serve", "--host", "127.0.0.9"])
    RUNNER.invoke(app, ["serve", "--port", "8002"])

    addresses = [(settings.host, settings.port) for settings in seen]
    assert addresses == [("127.0.0.9", 8001), ("127.0.0.1", 8002)]
