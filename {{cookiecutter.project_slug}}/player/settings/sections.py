"""What a setting is: every table of `config/base.toml`, with the values each entry may have."""

import shlex
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Environment = Literal["development", "testing", "acceptance", "production"]
Level = Literal["low", "medium", "high"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
SECRETS = ("signing_key", "approver_key", "api_key", "shadow_key", "customer_key", "database_url")
KEY_LISTS = ("public_keys", "approvers", "api_keys")  # no secrets, but they come the same way: in a file or a variable


class Table(BaseModel):
    """One `[table]` of the configuration: fixed after loading, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Project(Table):
    """Whose project this is."""

    name: str
    team: str


class Rating(Table):
    """The CIA rating: how bad a leak, a wrong value and an outage would be."""

    confidentiality: Level
    integrity: Level
    availability: Level


class DataSettings(Table):
    """The table to learn from."""

    train: str
    label: str = Field(min_length=1)
    id: str
    time: str
    not_at_request_time: tuple[str, ...]
    missing: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    fewest_rows: int = Field(default=1, ge=1)


class Customer(Table):
    """What the customer of this project plays; the player itself does not read it."""

    world: str = ""


class Contract(Table):
    """The names on the wire."""

    predict: str = Field(pattern=r"^/[\w./-]*$")
    feedback: str = Field(pattern=r"^/[\w./-]*$")
    request_id: str = Field(min_length=1)
    features: str
    prediction: str
    probability: str = Field(min_length=1)
    label: str = Field(min_length=1)
    label_lists: bool = True  # how the customer brings them; the player takes both


class Server(Table):
    """How the service listens and what it refuses."""

    host: str
    port: int = Field(ge=1, le=65535)
    workers: int = Field(ge=1, le=64)
    threads: int = Field(ge=1, le=256)
    debug: bool
    max_body_bytes: int = Field(ge=1_000)
    max_bodies_bytes: int = Field(ge=1_000)
    max_waiting: int = Field(ge=1)
    header_timeout_seconds: int = Field(ge=1, le=60)
    body_timeout_seconds: int = Field(ge=1, le=60)
    keep_alive_seconds: int = Field(ge=1)
    drain_seconds: float = Field(ge=0)
    stop_timeout_seconds: int = Field(ge=1)


class ModelSettings(Table):
    """Which models may run, and how long they may take."""

    folder: str
    max_bytes: int = Field(gt=0)
    allow_unsigned: bool
    libraries: tuple[str, ...]
    time_budget_seconds: float = Field(gt=0)
    reload_seconds: float = Field(gt=0)
    trial_seconds: float = Field(gt=0)
    trial_memory_mb: int = Field(gt=0)
    serial_file: str = Field(min_length=1)


class Storage(Table):
    """Where rows go."""

    database_url: str
    spool: str
    durability: Literal["process", "power"]
    damaged_spool: Literal["refuse", "rescue"]
    ship_seconds: float = Field(gt=0)
    keep_days: int = Field(ge=0)
    most_row_bytes: int = Field(ge=1_000)
    backup_hours: int = Field(ge=0)
    backup_folder: str = Field(min_length=1)


class Access(Table):
    """Who may bring labels and see pages."""

    key_required: bool
    predict_key_required: bool
    early_labels: bool
    labels_per_minute: int = Field(ge=0)
    requests_per_minute: int = Field(ge=0)
    reused_ids: Literal["fresh", "refuse"]
    trusted_proxies: str
    copy_to_development: bool

    @field_validator("trusted_proxies")
    @classmethod
    def are_addresses(cls, text: str) -> str:
        """Refuse what is neither an address nor a network: a name, or "*", could be anybody's."""
        for part in filter(None, map(str.strip, text.split(","))):
            ip_network(part, strict=False)
        return text


class PromotionSettings(Table):
    """What a promotion into acceptance and production needs beside its gates."""

    reason_required: bool
    four_eyes: bool


class ShadowSettings(Table):
    """Where copies of requests go."""

    url: str = Field(pattern=r"^(https?://[^/\s@]+)?$")


class Monitoring(Table):
    """What counts as now, and as drift."""

    window_rows: int = Field(gt=0)
    psi_warn: float = Field(gt=0)
    psi_alarm: float = Field(gt=0)
    min_rows: int = Field(gt=0)
    close_hours: float = Field(default=24, gt=0)
    on_change: str = ""
    on_change_url: str = Field(default="", pattern=r"^(https?://[^/\s@]+(/\S*)?)?$")

    @field_validator("on_change")
    @classmethod
    def is_a_command(cls, text: str) -> str:
        """Refuse what cannot be taken apart into words, such as an open quotation mark."""
        shlex.split(text)
        return text


class Logging(Table):
    """What is logged, and where."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    file: str
    show_values: bool


class Settings(BaseSettings):
    """All settings of one environment; see `config/base.toml` for what each means."""

    model_config = SettingsConfigDict(
        env_prefix="PLAYER_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    environment: Environment
    home: Path
    project: Project
    rating: Rating
    data: DataSettings
    customer: Customer = Customer()
    contract: Contract
    server: Server
    model: ModelSettings
    storage: Storage
    access: Access
    promotion: PromotionSettings
    shadow: ShadowSettings
    monitoring: Monitoring
    logging: Logging
    signing_key: SecretStr | None = None
    approver_key: SecretStr | None = None
    shadow_key: SecretStr | None = None
    public_keys: str = ""
    approvers: str = ""
    api_keys: str = ""
    api_key: SecretStr | None = None
    customer_key: SecretStr | None = None  # set: only the customer of this tournament is answered
    database_url: SecretStr = SecretStr("")

    @property
    def strict(self) -> bool:
        """Whether users depend on this environment, or it must behave as if they did."""
        return self.environment in ("acceptance", "production")

    @property
    def two_people(self) -> bool:
        """Whether two people must agree before a model becomes current here."""
        return self.strict and self.promotion.four_eyes

    @property
    def predict_needs_key(self) -> bool:
        """Whether a prediction needs a key: where labels need one, and the rating (or a setting) asks for it."""
        return self.access.key_required and self.access.predict_key_required

    def path(self, text: str) -> Path:
        """Return *text* as a path below the project folder, `{environment}` filled in."""
        return self.home / text.replace("{environment}", self.environment)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only what `load_settings` hands in: it has the files and variables in their order."""
        return (init_settings,)
