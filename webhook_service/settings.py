"""Settings: environment variables ``WEBHOOK_SERVICE_*``, or a TOML file of the same names.

The file is named by ``WEBHOOK_SERVICE_CONFIG``; a variable wins over the file.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
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
PREFIX = "WEBHOOK_SERVICE_"
# What the command line and the tests read beside the settings.
_NO_SETTINGS = {
    f"{PREFIX}{name}"
    for name in (
        *("CONFIG", "PROJECT", "DEBUG", "FAILPOINTS", "TEST_REQUIRE"),
        *("SERVER", "TOKEN", "CA_FILE", "CONTEXT"),
    )
}
_OF_KUBERNETES = re.compile(
    r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$"
)
_ALL = "docs/settings.md has all."
MIN_HISTORY_DAYS = 7
DRIVER_OPTIONS = {
    "kubeconfig",
    "kube_context",
    "clusters",
    "namespaces",
    "allow_private",
    "base_url",
}
MAIL = ("smtp://", "smtps://")
_ANY_ADDRESS = {"0.0.0.0", "::"}
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


ProjectName = Annotated[str, Field(pattern=r"^.{0,254}[^/\s]$")]


class ConsoleOidc(BaseModel):
    """The identity provider at which people log in to the console (OpenID Connect).

    Attributes:
        client_secret, client_secret_file: one of them, or neither for a public client.
        name: how the provider is called on its button.
        scopes: what is asked for; many providers tell groups for one of their own.
        groups_claim: the claim of the ID token that lists a person's groups.
        grants: the role in each project, by group.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(pattern=r"^https?://[^?#\s]+$", max_length=512)
    client_id: str = Field(min_length=1, max_length=512)
    client_secret: str | None = Field(default=None, min_length=1)
    client_secret_file: Path | None = None
    name: str = Field(default="single sign-on", min_length=1, max_length=60)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = Field(default="groups", min_length=1, max_length=200)
    grants: dict[str, dict[ProjectName, Literal["owner", "member", "readonly"]]] = Field(
        min_length=1
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.client_secret and self.client_secret_file:
            raise ValueError("set client_secret or client_secret_file, not both")
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid")
        return self

    @property
    def secret(self) -> str | None:
        """The client's secret; of a file what it holds now.

        Raises:
            SettingsError: the file cannot be read.
        """
        if self.client_secret_file is None:
            return self.client_secret
        try:
            return self.client_secret_file.read_text().strip()
        except OSError as exc:
            raise SettingsError(
                f"console_oidc.client_secret_file cannot be read: {exc.strerror}."
            ) from exc


_PARTS: Mapping[str, type[BaseModel]] = {
    "clusters": ClusterSettings,
    "console_oidc": ConsoleOidc,
}


class Settings(BaseSettings):
    """All that a deployment can set. Every duration is in seconds, every size in bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database_url: str = Field(
        default_factory=_default_database_url,
        description="sqlite:///path or postgresql://user:password@host/database",
    )
    listen: str = Field(default="127.0.0.1:8085", description="address:port to serve on")
    tls_cert: Path | None = Field(
        default=None, description="a certificate (PEM, with its chain) to serve HTTPS with"
    )
    tls_key: Path | None = Field(default=None, description="its key (PEM, without a password)")
    tls_client_ca: Path | None = Field(
        default=None, description="authorities (PEM) whose certificates callers may show"
    )
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
    broker_queue_type: Literal["classic", "quorum"] = Field(
        default="classic", description="of RabbitMQ's queue; quorum is kept on several nodes"
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
    sigstore_trusted_root: Path | None = Field(
        default=None,
        description="Sigstore's trusted_root.json, which keyless signatures are checked with",
    )
    allow_private: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="private networks that the service may call"
    )
    smtp_url: str | None = Field(
        default=None,
        description="the mail server of notifications: smtps://user:password@host or smtp://host",
    )
    smtp_from: str | None = Field(
        default=None,
        pattern=r"^[^\s@]+@[^\s@]+$",
        max_length=254,
        description="the address that mail comes from",
    )
    console: bool = Field(default=False, description="serve the console, for people, at /console")
    console_oidc: ConsoleOidc | None = Field(
        default=None, description="the identity provider that people log in with at the console"
    )
    metrics_listen: str | None = Field(
        default=None, description="address:port to serve Prometheus metrics on"
    )
    metrics_token: str | None = Field(
        default=None, min_length=16, description="opens /metrics to those who send it"
    )
    otlp_endpoint: str | None = Field(
        default=None, description="a collector of OpenTelemetry, such as http://127.0.0.1:4318"
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
    log_format: Literal["text", "json"] = Field(default="text", description="how the log reads")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is logged; failed rollouts are warnings"
    )

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

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

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
        return _with_readable_port(value.rstrip("/")) if value else None

    @field_validator("otlp_endpoint")
    @classmethod
    def _check_otlp(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, as OTLP goes over HTTP here")
        return _with_readable_port(value) if value else None

    @field_validator("smtp_url")
    @classmethod
    def _check_smtp_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not (value.startswith(MAIL) and urlsplit(value).hostname):
            raise ValueError("must be smtps://user:password@host or smtp://host:port")
        return _with_readable_port(value)

    @field_validator("broker_url")
    @classmethod
    def _check_broker_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(BROKERS):
            raise ValueError(f"must start with one of {', '.join(BROKERS)}")
        for url in value.split(";"):  # one after the other is tried
            number = urlsplit(_with_readable_port(url)).path.strip("/")
            if url.startswith("redis") and not (number or "0").isdecimal():
                raise ValueError("must end with the number of a database, as redis://host:6379/0")
        return value

    @model_validator(mode="after")
    def _check_listeners(self) -> Self:
        if self.metrics_listen is not None:
            host, _, port = self.metrics_listen.rpartition(":")
            hosts = {host.strip("[]"), self.listen_host}
            if int(port) == self.listen_port != 0 and (len(hosts) == 1 or hosts & _ANY_ADDRESS):
                raise ValueError("listen and metrics_listen need a port each")
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if (self.smtp_url is None) != (self.smtp_from is None):
            raise ValueError("smtp_url and smtp_from go together: set both, or neither")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: set both, or neither")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs tls_cert and tls_key")
        return self

    @property
    def sqlite_file(self) -> Path | None:
        """Where the database is; None if that is no file."""
        scheme, _, path = self.database_url.partition(":///")
        if not scheme.startswith("sqlite") or path in ("", ":memory:"):
            return None
        return Path(path.partition("?")[0]).expanduser().absolute()

    @property
    def missing_sqlite_file(self) -> Path | None:
        """The file of the database, if it is yet to be made; None if it only cannot be seen."""
        try:
            if self.sqlite_file is not None:
                self.sqlite_file.stat()
        except FileNotFoundError:
            return self.sqlite_file
        except OSError:
            pass  # whoever opens it says why
        return None

    @property
    def passwords(self) -> tuple[str, ...]:
        """Those in the URLs of database, broker and mail server, as written and decoded."""
        urls = f"{self.database_url} {self.broker_url} {self.smtp_url}"
        written = _PASSWORD.findall(urls)
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
        _refuse_dropped(dotenv_settings, file_secret_settings)
        _require_known()
        file = os.environ.get(CONFIG_VARIABLE)
        if not file:
            return init_settings, env_settings
        if not Path(file).is_file():
            raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which is not a file.")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))


def _with_readable_port(url: str) -> str:
    """The same URL.

    Raises:
        ValueError: its port is no port; what stands there may be a part of a password.
    """
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(
            "has no usable port: write a number up to 65535 behind the host, and / ? # @ : % of a "
            "name or password percent-encoded, such as %2F for /"
        ) from None
    return url


def _refuse_dropped(
    dotenv: PydanticBaseSettingsSource, secrets: PydanticBaseSettingsSource
) -> None:
    """Refuse what pydantic-settings offers and these settings do not read."""
    if getattr(dotenv, "env_file", None) is not None:
        raise SettingsError(
            "Settings cannot be used: _env_file is not read. Write the settings into a TOML file, "
            f"and name that in {CONFIG_VARIABLE}."
        )
    if getattr(secrets, "secrets_dir", None) is not None:
        raise SettingsError(
            "Settings cannot be used: _secrets_dir is not read. Name the file of the secret key in "
            f"{PREFIX}SECRET_KEY_FILE."
        )


def _require_known() -> None:
    """Refuse variables ``WEBHOOK_SERVICE_*`` that mean nothing, each with what was probably meant.

    Kubernetes sets some of its own for each Service, also for one of this name:
    https://kubernetes.io/docs/concepts/containers/container-environment/#cluster-information
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | _NO_SETTINGS
    unknown = [
        _unknown(name, name.upper(), known)
        for name in sorted(os.environ)
        if (upper := name.upper()).startswith(PREFIX)
        and upper not in known
        and not _OF_KUBERNETES.search(upper)
    ]
    if unknown:
        raise SettingsError(f"Settings cannot be used: {'; '.join(unknown)}. {_ALL}")


def _unknown(name: str, like: str, known: Collection[str]) -> str:
    close = get_close_matches(like, known, 1, 0.8)
    return f"{name} is no setting" + (f", the nearest is {close[0]}" if close else "")


def _problem(error: ErrorDetails) -> str:
    place = error["loc"]
    if error["type"] != "extra_forbidden":
        said = error["msg"].removeprefix("Value error, ")
        return f"{'.'.join(map(str, place))}: {said}" if place else said
    model: type[BaseModel] = _PARTS.get(str(place[0]), Settings) if place[1:] else Settings
    return _unknown(".".join(map(str, place)), str(place[-1]), model.model_fields)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsError: the message names each setting that cannot be used, never its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        problems = "; ".join(map(_problem, exc.errors(include_input=False, include_url=False)))
        raise SettingsError(f"Settings cannot be used: {problems}. {_ALL}") from exc
    except Unreadable as exc:
        raise SettingsError(f"A setting is no JSON, as its kind needs: {exc}.") from exc
    except ValueError as exc:
        file = os.environ.get(CONFIG_VARIABLE)
        raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which is no TOML: {exc}.") from exc
