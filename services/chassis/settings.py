"""Settings: from the environment only, checked at the start, one clear line when something is wrong."""

from __future__ import annotations

import difflib
import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.chassis.store_url import StoreUrl

# Whose names start with EMTA_<OWNER>_. Each owner judges its own; anything else is a slip.
_OWNERS = (
    "relay",
    "signer",
    "bounce",
    "feedback",
    "console",
    "ingress",
    "inbound",
    "client",
    "demo",
)

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


def _address(text: str, least_port: int) -> None:
    host, _, port = text.rpartition(":")
    if not host or not port.removeprefix("-").isdecimal() or not port.isascii():
        raise ValueError("must be of the form host:port")
    # gRPC takes the rest of a division by 65,536.
    if not least_port <= int(port) <= 65_535:
        raise ValueError(f"the port must be {least_port} to 65535")


def _is_listened_on(text: str) -> str:
    _address(text, 0)
    return text


def _is_target(text: str) -> str:
    _address(text.removeprefix("dns:///"), 1)
    return text


# Where to serve, host:port, port 0: any; and where another service is, host:port or dns:///name:port.
Listen = Annotated[str, AfterValidator(_is_listened_on)]
Target = Annotated[str, AfterValidator(_is_target)]


@dataclass(frozen=True)
class Acks:
    """How many replicas must have what is written, and how long they are waited for."""

    replicas: int = 0
    wait_seconds: float = 1.0


NO_ACKS = Acks()


class SettingsError(Exception):
    """A setting that does not exist or breaks its rule; the text is one line that names it."""


class ServiceSettings(BaseSettings):
    """What every service can be told. A service's names start with EMTA_<SERVICE>_."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    listen: Listen = Field("127.0.0.1:0", description="Address to serve gRPC on, host:port; port 0: any.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log events to write."
    )
    reflection: bool = Field(
        False,
        description="Serve gRPC reflection, which tells the contract to anybody who can connect.",
    )
    trace_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the messages to trace that come without a trace context of their own. "
        "Spans go to OTEL_EXPORTER_OTLP_ENDPOINT, when that is set.",
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="Time to finish what is under way after SIGTERM, seconds."
    )


class StoreSettings(ServiceSettings):
    """Settings of a service that keeps state."""

    redis_url: SecretStr | None = Field(
        None,
        description="Valkey or Redis: redis://, rediss:// (TLS) or unix://; a Cluster: redis+cluster:// or "
        "rediss+cluster:// with host:port of some nodes, comma-separated. Empty: an embedded Valkey is "
        "started, its data in the data folder.",
    )
    data_dir: Path = Field(Path("var"), description="Folder of the embedded store's data.")
    store_timeout_seconds: float = Field(
        2.0, gt=0, description="Longest wait for an answer of the store, seconds."
    )

    @field_validator("redis_url")
    @classmethod
    def _is_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            StoreUrl.parse(url.get_secret_value())
        return url


class LedgerSettings(StoreSettings):
    """Settings of a service whose word counts: what it has answered for may not be lost with its store."""

    min_replica_acks: int = Field(
        0,
        ge=0,
        description="Replicas that must have what is accepted and settled (Feedback: recorded), besides "
        "the primary; while fewer answer, nothing is accepted. A failover then loses nothing.",
    )

    @property
    def acks(self) -> Acks:
        """For services.chassis.store.Script."""
        # The client must not give up before WAIT does.
        return Acks(self.min_replica_acks, self.store_timeout_seconds / 2)


S = TypeVar("S", bound=ServiceSettings)


def load_settings(cls: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Read the settings of a service. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    prefix = str(cls.model_config["env_prefix"])
    known = {prefix + name.upper(): name for name in cls.model_fields}
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith("EMTA_"):
            continue
        if variable in known:
            values[known[variable]] = value
        elif (
            variable.startswith(prefix)
            or variable.count("_") < 2
            or variable.split("_")[1].lower() not in _OWNERS
        ):
            raise SettingsError(_unknown(variable, known))
    try:
        return cls.model_validate({**_defaults(cls), **_split(cls, values)})
    except ValidationError as error:
        first = error.errors()[0]
        name = prefix + str(first["loc"][0]).upper() if first["loc"] else prefix.rstrip("_")
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


def _defaults(cls: type[ServiceSettings]) -> dict[str, Any]:
    return {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}


def _split(cls: type[ServiceSettings], values: dict[str, Any]) -> dict[str, Any]:
    """Cut comma-separated values; an empty value means the default."""
    given = {name: value.strip() for name, value in values.items() if value.strip()}
    for name, value in given.items():
        if isinstance(cls.model_fields[name].default, tuple):
            given[name] = tuple(part.strip() for part in value.split(",") if part.strip())
    return given


def _unknown(variable: str, known: Mapping[str, str]) -> str:
    nearest = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{variable} is no setting of emta{hint}"


def describe(cls: type[ServiceSettings]) -> str:
    """List the settings of a service with defaults, meanings and rules, for --help."""
    prefix = str(cls.model_config["env_prefix"])
    lines = []
    for name, field in cls.model_fields.items():
        shown = shown_value(field.get_default(call_default_factory=True))
        lines.append(f"  {prefix}{name.upper()}" + (f" [{shown}]" if shown else ""))
        indent = " " * 6
        lines += textwrap.wrap(
            meaning(field), 80, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
    return "\n".join(lines)


def shown_value(value: Any) -> str:
    """Give a value as it is written in the environment; "": there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def meaning(field: FieldInfo) -> str:
    """Say what a setting is for, and what its value may be."""
    rule = _rule(field)
    return f"{field.description} ({rule})" if rule else str(field.description or "")


def _rule(field: FieldInfo) -> str:
    """Say what a value may be: the words or the numbers that are allowed; "": the meaning says it."""
    if get_origin(field.annotation) is Literal:
        *words, last = get_args(field.annotation)
        return f"{', '.join(words)} or {last}"
    if field.annotation is bool:
        return "true or false"
    words_of = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
    return ", ".join(
        form.format(getattr(bound, key))
        for bound in field.metadata
        for key, form in words_of.items()
        if hasattr(bound, key)
    )
