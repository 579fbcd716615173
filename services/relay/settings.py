"""Settings of the Relay."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from emta.return_path import ReturnPaths
from services.chassis.settings import CommaSeparated, LedgerSettings, Listen, Target
from services.relay.dns_answer import to_wire
from services.relay.mx_rules import MxRules
from services.relay.resolver import NameServer

# What is said in EHLO is a word on a line of its own (RFC 5321 section 4.1.1.1).
_NAME = re.compile("[!-~]+")
_FIELD_NAME = re.compile("[!-9;-~]+")


class RelaySettings(LedgerSettings):
    """EMTA_RELAY_*."""

    model_config = SettingsConfigDict(env_prefix="EMTA_RELAY_")

    listen: Listen = Field(
        "127.0.0.1:50051", description="Address to serve gRPC on, host:port; port 0: any."
    )
    signer: Target = Field("127.0.0.1:50052", description="The Signer, host:port or dns:///name:port.")
    bounce: Target = Field("127.0.0.1:50053", description="Bounce, host:port or dns:///name:port.")
    feedback: Target = Field("127.0.0.1:50054", description="Feedback, host:port or dns:///name:port.")

    ehlo_name: str = Field(
        default_factory=socket.getfqdn,
        min_length=1,
        description="Name to say in EHLO: the one that the sending address's PTR record has. Default: this "
        "host's name.",
    )
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of receiving servers.")
    starttls: bool = Field(True, description="Use STARTTLS where a receiver offers it (opportunistic).")
    resolvers: CommaSeparated = Field(
        (), description="Name servers, host:port, comma-separated. Empty: the system's."
    )
    dns_timeout_seconds: float = Field(10.0, gt=0, description="Longest wait for a DNS answer, seconds.")
    allowed_networks: CommaSeparated = Field(
        (),
        description="Networks that MX records may point into although it is forbidden by default (private, "
        "loopback, link-local, multicast ...), comma-separated.",
    )
    connect_timeout_seconds: float = Field(
        30.0, gt=0, description="Longest wait for a connection, seconds."
    )
    greeting_timeout_seconds: float = Field(
        300.0, gt=0, description="Longest wait for the greeting, seconds (RFC 5321 section 4.5.3.2.1)."
    )
    command_timeout_seconds: float = Field(
        300.0,
        gt=0,
        description="Longest wait for the answer to a command, seconds (RFC 5321 section 4.5.3.2).",
    )
    data_timeout_seconds: float = Field(
        180.0, gt=0, description="Longest time to send the content, seconds (RFC 5321 section 4.5.3.2.5)."
    )
    dot_timeout_seconds: float = Field(
        600.0,
        gt=0,
        description="Longest wait for the answer to the final dot (RFC 5321 section 4.5.3.2.6).",
    )
    idle_seconds: float = Field(
        2.0, ge=0, description="How long a connection is kept when its site has no more work, seconds."
    )
    mx_rules: Path | None = Field(
        None,
        description="File with MX rules of one's own, over those that come with the Relay "
        "(docs/reference/mx-rules.md): connections, messages per connection and rate by site.",
    )
    connections_per_site: int = Field(
        5,
        ge=1,
        description="Connections to the mail servers of one domain at once, from this process; MX rules "
        "limit those of all Relays together.",
    )
    messages_per_connection: int = Field(
        100, ge=1, description="Messages over one connection at most; MX rules may say fewer."
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes of the Relay on this machine, behind one port; more than one where one core "
        "is not enough. They share the work as Relays on several machines do.",
    )
    share_port: bool = Field(
        False, description="Let other processes listen on the same port (SO_REUSEPORT), as workers do."
    )
    memory_accept_percent: float = Field(
        70.0, gt=0, le=100, description="Memory of the store in use at which nothing more is accepted, %."
    )
    disk_accept_percent: float = Field(
        10.0,
        ge=0,
        lt=100,
        description="Disk left below which nothing more is accepted, %, where the store is on this "
        "machine; more than 10 GiB are always enough.",
    )
    disk_deliver_percent: float = Field(
        5.0, ge=0, lt=100, description="Disk left below which nothing more is delivered, %."
    )
    max_in_flight: int = Field(2000, ge=1, description="Messages being worked on at once, in this process.")
    max_in_flight_octets: int = Field(
        256 * 1024 * 1024, ge=1, description="Octets of content being worked on at once, in this process."
    )
    outbox_max: int = Field(
        2_500_000,
        ge=1,
        description="Most outcomes that a shard keeps for Feedback while it is away; beyond that nothing "
        "is accepted, and delivery goes on. Default: 20 million over 8 shards: a day at ten million.",
    )

    shards: int = Field(
        8, ge=1, le=1024, description="Shards of the queue. Fixed once the store is in use."
    )
    lease_seconds: float = Field(
        30.0,
        ge=1,
        description="After how long the messages of a dead Relay go to another one, seconds.",
    )
    retry_base_seconds: float = Field(
        300.0,
        gt=0,
        description="Base interval of the retry schedule, seconds: the first wait after a busy or "
        "greylisting answer. docs/reference/retries.md has the schedule.",
    )
    hold_seconds: float = Field(
        60.0,
        gt=0,
        description="How often a message that waits for something of ours (a key, the Signer, Bounce) is "
        "looked at again, seconds.",
    )
    without_key: Literal["wait", "refuse", "unsigned"] = Field(
        "wait",
        description="What happens to a message without a usable signing key: it waits until its validity "
        "ends, fails at once, or is sent unsigned.",
    )
    unknown_result: Literal["retry", "presume"] = Field(
        "retry",
        description="What a connection lost after the final dot means: try again (the receiver may get the "
        "message twice), or count it as Sent by presumption.",
    )
    report_acceptances: bool = Field(
        True,
        description="Tell Bounce whose messages were accepted, as keys that nobody can turn back into "
        "addresses: what its outage guard goes by (docs/reference/incidents.md).",
    )
    internal_headers: CommaSeparated = Field(
        (), description="Names of internal header fields to remove from messages, comma-separated."
    )

    return_path_key: SecretStr | None = Field(
        None,
        description="Key of signed return paths, the same as EMTA_BOUNCE_RETURN_PATH_KEY: 32 characters or "
        "more (openssl rand -hex 32). Several, comma-separated: the first signs. Empty: messages that ask "
        "for a signed return path are refused.",
    )

    @property
    def return_paths(self) -> ReturnPaths | None:
        """Signs return paths; None without a key."""
        key = self.return_path_key
        return None if key is None else ReturnPaths.parse(key.get_secret_value())

    @field_validator("return_path_key")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            ReturnPaths.parse(keys.get_secret_value())
        return keys

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network)
        return networks

    @field_validator("resolvers")
    @classmethod
    def _are_addresses(cls, resolvers: tuple[str, ...]) -> tuple[str, ...]:
        for resolver in resolvers:
            NameServer.parse(resolver)
        return resolvers

    @field_validator("internal_headers")
    @classmethod
    def _may_go(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _FIELD_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header field (RFC 5322 section 2.2)")
            if name.lower() == "from":
                raise ValueError("From is not internal: no message may be without (RFC 5322 section 3.6)")
        return names

    @field_validator("ehlo_name")
    @classmethod
    def _is_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("must be printable ASCII without spaces")
        to_wire(name)
        return name

    @field_validator("mx_rules")
    @classmethod
    def _are_rules(cls, path: Path | None) -> Path | None:
        MxRules.load(path)
        return path
