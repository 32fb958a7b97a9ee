"""Every setting of the service, read once from the environment (prefix ``NEXTOFFER_``)."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.base.arbitration_options import DEFAULT_OPTIONS, ArbitrationOptions, Strategy
from service.base.time_zones import find_zone
from service.base.windows import DEFAULT_WINDOWS, Windows

CURRENCY_PATTERN = re.compile(r"[A-Z]{3}")
ORIGIN_PATTERN = re.compile(r"\*|https?://[^/?#\s]+")


class Settings(BaseSettings):
    """Frozen, and passed to ``create_app``: nothing reads the environment after this."""

    model_config = SettingsConfigDict(env_prefix="NEXTOFFER_", frozen=True, extra="ignore")

    database_url: str = Field(
        default="sqlite:///var/nextoffer.db",
        description="SQLAlchemy URL. SQLite is the embedded default; postgresql:// (psycopg 3) is the real one.",
    )
    artifacts_dir: Path = Field(default=Path("var/artifacts"), description="Folder of trained artifacts.")
    reporting_currency: str = Field(
        default="",
        description="ISO 4217 code of the currency that training reports all money in; empty for that of most order "
        "lines.",
    )
    timezone: str = Field(
        default="UTC",
        description="Time zone of the business, an IANA name such as Europe/Berlin: training counts its days, and "
        "times without an offset in imported files are of it.",
    )
    host: str = Field(default="127.0.0.1", description="Address that `nextoffer serve` binds.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port that `nextoffer serve` binds.")
    pages: bool = Field(
        default=True,
        description="Whether / and /docs, the pages for people, and /openapi.json are served. They need no key.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes of `nextoffer serve` that answer.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line."
    )
    key_refresh_seconds: float = Field(
        default=0.5, gt=0, description="How often the API keys in memory are read again from the database."
    )
    artifact_poll_seconds: float = Field(
        default=1.0, gt=0, description="How often the service looks for a newly activated artifact."
    )
    rate_limit: str = Field(
        default="",
        description="How often each key without a limit of its own may ask, such as 100/second; empty for no limit.",
    )
    rate_limit_storage: str = Field(
        default="memory://",
        description="Where requests are counted: memory:// (each worker by itself) or redis://HOST:PORT (shared).",
    )
    storefront_rate_limit: str = Field(
        default="10/second",
        description="How often one client address may ask with a storefront key that has no limit of its own; empty "
        "for no limit.",
    )
    storefront_fields: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("name", "line", "category", "price_minor", "currency", "url", "image_url"),
        description="What storefront keys may name in `fields` and in the filter `attributes`, comma-separated: fields "
        "of products and names of their attributes, all of which anybody can then read; * for everything.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks of reverse proxies, comma-separated, whose X-Forwarded-For tells the "
        "client's address, for the limits of storefront keys.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins whose pages may call from a browser, comma-separated; none by default."
    )
    up_sell_first: bool = Field(
        default=DEFAULT_OPTIONS.is_up_sell_first,
        description="Whether every upgrade that may be offered comes before everything else.",
    )
    strategy: Strategy = Field(
        default=DEFAULT_OPTIONS.strategy,
        description="What the order of offers follows: expected_value (propensity * value * context * lever), "
        "propensity (whatever an offer is worth), or relevance (the model's score, source by source).",
    )
    default_margin_rate: float = Field(
        default=DEFAULT_OPTIONS.margin_rate,
        gt=0,
        le=1,
        description="Margin as a share of the price, for products of which neither the margin is known nor that of at "
        "least three products of their category or line.",
    )
    max_value_ratio: float = Field(
        default=DEFAULT_OPTIONS.max_value_ratio,
        ge=1,
        description="The value of an offer counts for at most this multiple of the median product's, so that one wrong "
        "price does not come first everywhere.",
    )
    min_propensity: float = Field(
        default=DEFAULT_OPTIONS.min_propensity,
        ge=0,
        le=1,
        description="Nothing is offered that is less likely to be bought; 0 for no floor.",
    )
    min_expected_value_minor: float = Field(
        default=DEFAULT_OPTIONS.min_expected_value_minor,
        ge=0,
        description="Nothing is offered whose propensity times value is below this, in minor units of the reporting "
        "currency; 0 for no floor.",
    )
    offer_valid_hours: float = Field(
        default=DEFAULT_OPTIONS.valid_hours,
        gt=0,
        le=24 * 366,
        description="How long offers are good for (`valid_until`), unless their product ceases to be available before.",
    )
    goal_control_share: float = Field(
        default=DEFAULT_OPTIONS.control_share,
        ge=0,
        le=0.5,
        description="Share of the accounts that are decided without goals and weights, another one each quarter, so "
        "that what levers bring and cost can be measured; 0 for none.",
    )
    returned_days: float = Field(
        default=DEFAULT_WINDOWS.returned_days,
        ge=0,
        description="For how many days a returned product is not offered to its account again; 0 for no such rule. The "
        "days count back from the end of the artifact's history, or from the account's newest order if that is later.",
    )
    deal_lost_days: float = Field(
        default=DEFAULT_WINDOWS.deal_lost_days,
        ge=0,
        description="For how many days a product is not offered to an account that let a deal for it be lost; 0 for no "
        "such rule. They count like those of NEXTOFFER_RETURNED_DAYS.",
    )
    shadow_version: str = Field(
        default="", description="A candidate artifact that answers a share of the traffic, unseen; telemetry compares."
    )
    shadow_share: float = Field(default=0.1, ge=0, le=1, description="Share of the answers that the shadow compares.")
    change_poll_seconds: float = Field(
        default=0.2, gt=0, description="How often each worker looks for what other workers wrote."
    )
    max_sequence_wait_seconds: float = Field(
        default=2.0, ge=0, description="How long a request waits for the change that its X-Min-Sequence names."
    )
    decision_log_queue_rows: int = Field(
        default=20_000, gt=0, description="Most decisions that a worker keeps while they can't be written."
    )
    decision_log_batch_rows: int = Field(default=4_000, gt=0, description="Most decisions in one transaction.")
    decision_log_flush_seconds: float = Field(
        default=0.25, gt=0, description="How often a worker writes its decisions."
    )
    decision_log_drain_seconds: float = Field(
        default=5.0, ge=0, description="How long a stopping worker tries to write the rest of its decisions."
    )
    decision_retention_days: float = Field(default=90, gt=0, description="How long decisions are kept.")
    idempotency_hours: float = Field(
        default=48, gt=0, description="How long the answer to a write with an Idempotency-Key is kept."
    )
    change_retention_days: float = Field(
        default=7, ge=0, description="How long changes are kept that every artifact in reach has learned from."
    )
    cleanup_seconds: float = Field(
        default=600, gt=0, description="How often decisions, answers and changes that had their time are deleted."
    )
    header_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request's header may take to arrive."
    )
    body_timeout_seconds: float = Field(default=20.0, gt=0, description="How long a request's body may take to arrive.")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0, description="Largest accepted request body.")
    max_rows_per_request: int = Field(default=50_000, gt=0, description="Most rows that one bulk POST may carry.")

    @property
    def arbitration(self) -> ArbitrationOptions:
        """How candidates compete."""
        return ArbitrationOptions(
            strategy=self.strategy,
            is_up_sell_first=self.up_sell_first,
            margin_rate=self.default_margin_rate,
            max_value_ratio=self.max_value_ratio,
            min_propensity=self.min_propensity,
            min_expected_value_minor=self.min_expected_value_minor,
            control_share=self.goal_control_share,
            valid_hours=self.offer_valid_hours,
        )

    @property
    def windows(self) -> Windows:
        """For how long returns and lost deals count."""
        return Windows(self.returned_days, self.deal_lost_days)

    @field_validator("cors_origins", "storefront_fields", "trusted_proxies", mode="before")
    @classmethod
    def split_list(cls, entries: object) -> object:
        """Read a comma-separated list."""
        if not isinstance(entries, str):
            return entries
        return tuple(entry.strip() for entry in entries.split(",") if entry.strip())

    @field_validator("trusted_proxies")
    @classmethod
    def check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is neither an address nor a network."""
        try:
            return tuple(str(ip_network(proxy)) for proxy in proxies)
        except ValueError:
            raise ValueError("write addresses or networks, for example 10.0.0.5,10.1.0.0/16") from None

    @field_validator("cors_origins")
    @classmethod
    def check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what no browser sends as an origin, as one with a path: it would never match, without any error."""
        if not all(ORIGIN_PATTERN.fullmatch(origin) for origin in origins):
            raise ValueError("write for example https://shop.example,https://crm.example:8443, without a path, or *")
        return origins

    @field_validator("reporting_currency")
    @classmethod
    def check_reporting_currency(cls, code: str) -> str:
        """Refuse what is no currency code."""
        if code and not CURRENCY_PATTERN.fullmatch(code.strip().upper()):
            raise ValueError("write a currency's three letters, such as EUR")
        return code.strip().upper()

    @field_validator("timezone")
    @classmethod
    def check_timezone(cls, name: str) -> str:
        """Refuse an unknown time zone."""
        find_zone(name.strip())
        return name.strip()

    @field_validator("rate_limit", "storefront_rate_limit")
    @classmethod
    def check_rate_limit(cls, limit: str, info: ValidationInfo) -> str:
        """Refuse at the start what is no limit."""
        if not limit or limit == cls.model_fields[info.field_name or ""].default:
            return limit
        # It brings all of its storages along, which the commands do not need.
        from limits import parse

        try:
            return limit if parse(limit) else ""
        except ValueError:
            raise ValueError("write for example 100/second or 5000/minute") from None

    @field_validator("rate_limit_storage")
    @classmethod
    def check_rate_limit_storage(cls, uri: str) -> str:
        """Accept the storages that are tested."""
        if uri != "memory://" and not uri.startswith(("redis://", "rediss://")):
            raise ValueError("write memory:// or redis://HOST:PORT")
        return uri

    @field_validator("database_url")
    @classmethod
    def check_database_url(cls, url: str) -> str:
        """Accept the two databases that the migrations are for."""
        if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")) or url == "sqlite:///":
            raise ValueError("write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
        return url
