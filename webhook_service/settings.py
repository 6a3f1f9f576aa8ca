"""Settings: environment variables ``WEBHOOK_SERVICE_*``, or a TOML file of the same names.

The file is named by ``WEBHOOK_SERVICE_CONFIG``; a variable wins over the file.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as Unreadable

from webhook_service.errors import SettingsError

CONFIG_VARIABLE = "WEBHOOK_SERVICE_CONFIG"
MIN_HISTORY_DAYS = 7
DRIVER_OPTIONS = {"kubeconfig", "kube_context", "clusters", "namespaces", "allow_private"}
BROKERS = ("amqp://", "amqps://", "redis://", "rediss://")
_PASSWORD = re.compile(r"://[^/\s:]*:([^/\s]+)@")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _default_database_url() -> str:
    folder = platformdirs.user_data_path("webhook-service")
    return f"sqlite:///{folder / 'webhook-service.db'}"


class ClusterSettings(BaseModel):
    """How to reach one cluster: the pod's own account, or a context of a kubeconfig.

    ``account`` names the ServiceAccount of each target's namespace that calls are made as.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kubeconfig: Path | None = None
    context: str | None = None
    in_cluster: bool = False
    account: str | None = Field(default=None, min_length=1, max_length=253)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.in_cluster and (self.kubeconfig or self.context):
            raise ValueError("in_cluster uses the pod's account: leave kubeconfig and context out")
        return self


class Settings(BaseSettings):
    """All that a deployment can set. Every duration is in seconds, every size in bytes."""

    model_config = SettingsConfigDict(env_prefix="WEBHOOK_SERVICE_", extra="forbid", frozen=True)

    database_url: str = Field(
        default_factory=_default_database_url,
        description="sqlite:///path or postgresql://user:password@host/database",
    )
    listen: str = Field(default="127.0.0.1:8085", description="address:port to serve on")
    base_url: str | None = Field(
        default=None, description="the address that senders reach, for the URLs of receivers"
    )
    secret_key: str | None = Field(
        default=None, min_length=16, description="seals endpoint keys at rest; newest first"
    )
    secret_key_file: Path | None = Field(default=None, description="a file with the secret key")
    engine: Literal["local", "celery"] = Field(default="local", description="who runs executions")
    broker_url: str | None = Field(
        default=None, description="amqp://user:password@host// or redis://host/0, for celery"
    )
    workers: int = Field(
        default=8, ge=1, le=256, description="threads, or processes of one worker, that run drivers"
    )
    step_seconds: float = Field(
        default=60.0, ge=1, le=600, description="how long one call of a driver may take"
    )
    rollout_seconds: float = Field(
        default=86_400.0,
        ge=60,
        le=31_536_000,
        description="for how long an execution may wait in all; then it fails",
    )
    lease_seconds: float = Field(
        default=30.0, ge=1, le=3600, description="how long a lost worker blocks what it ran"
    )
    kubeconfig: Path | None = Field(default=None, description="how to reach the clusters")
    kube_context: str | None = Field(default=None, description="the default cluster's context")
    clusters: dict[str, ClusterSettings] = Field(
        default={}, description="the only clusters that receivers may name, by name"
    )
    namespaces: dict[str, tuple[str, ...]] = Field(
        default={}, description="what each project may touch: namespace or cluster/namespace"
    )
    drivers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="the only drivers to offer, by name; empty offers all"
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="networks whose X-Forwarded-* headers are believed"
    )
    proxy_roles: bool = Field(
        default=False,
        description="believe X-API-Roles of trusted proxies, which then must strip it from callers",
    )
    proxy_user_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]{1,100}$",
        description="the header in which trusted proxies, which must replace it, name the user",
    )
    v16_public_key_file: Path | None = Field(
        default=None, description="the key (PEM) that v1.6 signed its ?token= URLs with"
    )
    docker_config: Path | None = Field(
        default=None, description="a Docker config.json with credentials of registries"
    )
    insecure_registries: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="registries (host:port) that are called without TLS"
    )
    blob_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="host patterns that registries may redirect blobs to"
    )
    allow_private: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="private networks that the service may call"
    )
    metrics_listen: str | None = Field(
        default=None, description="address:port to serve Prometheus metrics on"
    )
    max_connections: int = Field(default=10_000, ge=1, description="open connections of callers")
    max_connections_per_address: int = Field(
        default=100, ge=0, description="of them, from one address that is no trusted proxy; 0: all"
    )
    address_rate: float = Field(
        default=200.0, ge=0, description="calls per second of one address; 0 is no limit"
    )
    address_burst: int = Field(default=2000, ge=1, description="its calls at once")
    receiver_rate: float = Field(
        default=50.0, ge=0, description="calls per second to one receiver; 0 is no limit"
    )
    receiver_burst: int = Field(default=500, ge=1, description="its calls at once")
    receiver_bytes_per_day: int = Field(
        default=1 << 30, ge=0, description="what the calls of one receiver may store; 0: no limit"
    )
    project_bytes_per_day: int = Field(
        default=4 << 30, ge=0, description="what the calls of one project may store; 0: no limit"
    )
    min_free_bytes: int = Field(
        default=256 << 20, ge=0, description="of SQLite's disk; with less, calls are refused"
    )
    max_receivers: int = Field(default=1000, ge=0, description="of one project; 0: no limit")
    max_tokens: int = Field(default=100, ge=0, description="live, of one project; 0: no limit")
    max_open_executions: int = Field(
        default=10_000, ge=0, description="that have not ended, of one project; 0: no limit"
    )
    max_waiting: int = Field(
        default=250, ge=1, description="callers of one project that wait for their outcome"
    )
    max_wait_seconds: float = Field(
        default=300.0, ge=0, le=3600, description="how long a call may wait for its outcome"
    )
    keep_bodies_days: int = Field(
        default=30, ge=0, le=36500, description="how long bodies of calls are kept; 0 is for ever"
    )
    keep_history_days: int = Field(
        default=90, ge=0, le=36500, description="of deliveries and executions; 7 or more, or 0"
    )
    keep_audit_days: int = Field(
        default=400, ge=0, le=36500, description="how long the audit is kept; 0 is for ever"
    )
    log_format: Literal["text", "json"] = "text"

    @field_validator(
        "drivers",
        "trusted_proxies",
        "insecure_registries",
        "blob_hosts",
        "allow_private",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _check_listen(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, colon, port = value.rpartition(":")
        if not (host and colon and port.isdigit() and int(port) < 65536):
            raise ValueError("must be address:port, such as 127.0.0.1:8085")
        return value

    @field_validator("keep_history_days")
    @classmethod
    def _check_history(cls, value: int) -> int:
        if 0 < value < MIN_HISTORY_DAYS:
            raise ValueError(
                f"must be at least {MIN_HISTORY_DAYS}, or 0 to keep all: until then a call that a "
                "sender repeats is known as a duplicate"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/") if value else None

    @field_validator("broker_url")
    @classmethod
    def _check_broker_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(BROKERS):
            raise ValueError(f"must start with one of {', '.join(BROKERS)}")
        return value

    @property
    def passwords(self) -> tuple[str, ...]:
        """Those in the URLs of the database and the broker, as written and decoded."""
        written = _PASSWORD.findall(f"{self.database_url} {self.broker_url}")
        return (*written, *map(unquote, written))

    @property
    def listen_host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def listen_port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def driver_options(self) -> Mapping[str, Any]:
        """What drivers are constructed with: JSON values, and only those that are set."""
        said = self.model_dump(mode="json", include=DRIVER_OPTIONS)
        return {name: value for name, value in said.items() if value}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(CONFIG_VARIABLE)
        if not file:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsError: the message names each setting that cannot be used, never its value.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    if file and not Path(file).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which is not a file.")
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
            for error in exc.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"Settings cannot be used: {problems}.") from exc
    except Unreadable as exc:
        raise SettingsError(f"A setting is no JSON, as its kind needs: {exc}.") from exc
    except ValueError as exc:
        raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which is no TOML: {exc}.") from exc
