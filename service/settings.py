"""Every setting of the service, read once from the environment (prefix ``NEXTOFFER_``)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen, and passed to ``create_app``: nothing reads the environment after this."""

    model_config = SettingsConfigDict(env_prefix="NEXTOFFER_", frozen=True, extra="ignore")

    database_url: str = Field(
        default="sqlite:///var/nextoffer.db",
        description="SQLAlchemy URL. SQLite is the embedded default; postgresql:// (psycopg 3) is the real one.",
    )
    artifacts_dir: Path = Field(default=Path("var/artifacts"), description="Folder of trained artifacts.")
    host: str = Field(default="127.0.0.1", description="Address that `nextoffer serve` binds.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port that `nextoffer serve` binds.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line."
    )
    key_refresh_seconds: float = Field(
        default=1.0, gt=0, description="How often the API keys in memory are read again from the database."
    )
    artifact_poll_seconds: float = Field(
        default=1.0, gt=0, description="How often the service looks for a newly activated artifact."
    )
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0, description="Largest accepted request body.")
    max_rows_per_request: int = Field(default=50_000, gt=0, description="Most rows that one bulk POST may carry.")

    @field_validator("database_url")
    @classmethod
    def check_database_url(cls, url: str) -> str:
        """Accept the two databases that the migrations are for."""
        if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")) or url == "sqlite:///":
            raise ValueError("write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
        return url
