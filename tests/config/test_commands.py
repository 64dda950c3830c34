"""``havre config``: what it prints, and that the reference in docs/ is what the table says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from havre.cli import app
from havre.cli.config import reference
from havre.config import SETTINGS

RUN = CliRunner()
ENVIRON = {"HAVRE_DATABASE_URL": "postgresql://havre:hunter2@db/havre", "HAVRE_SIGNUP": "closed"}


def test_the_reference_is_made_from_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
    assert page.read_text() == reference(), "run: havre config docs > docs/reference/configuration.md"


def test_check_says_yes() -> None:
    result = RUN.invoke(app, ["config", "check"], env=ENVIRON)
    assert result.exit_code == 0
    assert "the settings can work: 2 given" in result.output


def test_check_says_no_and_why() -> None:
    result = RUN.invoke(app, ["config", "check"], env={"HAVRE_WORKERS": "none"})
    assert result.exit_code == 1
    assert "workers (environment variable HAVRE_WORKERS) is 'none' but must be" in result.output


def test_check_points_at_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    environ = {"HAVRE_TLS_CERTIFICATE": str(tmp_path / "c.pem"), "HAVRE_TLS_KEY": str(tmp_path / "k.pem")}
    result = RUN.invoke(app, ["config", "check"], env=environ)
    assert result.exit_code == 1
    assert "c.pem can not be read" in result.output


def test_show_tells_sources_and_hides_secrets() -> None:
    result = RUN.invoke(app, ["config", "show"], env=ENVIRON)
    assert result.exit_code == 0
    assert 'signup = "closed"  # environment variable HAVRE_SIGNUP' in result.output
    assert "# database_url is set" in result.output
    assert "hunter2" not in result.output


def test_what_show_prints_is_a_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "havre.toml"
    file.write_text(RUN.invoke(app, ["config", "show"]).output)
    result = RUN.invoke(app, ["config", "check", "--config", str(file)])
    assert result.exit_code == 0, result.output


def test_the_schema_knows_every_setting() -> None:
    schema = json.loads(RUN.invoke(app, ["config", "schema"]).output)
    assert list(schema["properties"]) == list(SETTINGS)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_is_explained(name: str) -> None:
    assert SETTINGS[name].help.endswith("."), name
