"""What the commands share: where the services are, how to speak, how to stop."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, NoReturn

import grpc
import typer
from google.protobuf.message import Message
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console
from typer.exceptions import TyperException

from emta.as_json import as_dict
from emta.client import Client
from emta.problems import Problem

# Bad input: the caller must change something. 1 is for what went wrong on the way.
EXIT_BAD_INPUT = 2
EXIT_FAILED = 1

_LAST_PORT = 65_535

_BAD_INPUT = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)

Json = Annotated[bool, typer.Option("--json", help="JSON lines, for machines.")]

# Below this many columns a table leaves out what matters least.
NARROW = 100


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `run`; as it comes, it ends the process with 1."""
        raise BrokenPipeError


out = _Console(highlight=False)


class ClientSettings(BaseSettings):
    """Where the services are."""

    model_config = SettingsConfigDict(env_prefix="EMTA_CLIENT_")

    relay: str = Field("localhost:50051", description="Relay, host:port.")
    feedback: str = Field("localhost:50054", description="Feedback, host:port.")
    bounce: str = Field("localhost:50053", description="Bounce, host:port.")

    @field_validator("relay", "feedback", "bounce")
    @classmethod
    def _has_host_and_port(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        known = port.isascii() and port.isdigit() and 1 <= int(port) <= _LAST_PORT
        if not known or not host or any(map(str.isspace, address)):
            raise ValueError(f"{address!r} is not host:port")
        return address


def client(exit_code: int = EXIT_BAD_INPUT) -> Client:
    """Open the client that the environment asks for; where it asks for none, stop with `exit_code`."""
    try:
        settings = ClientSettings()
    except ValidationError as error:
        (wrong, *_) = error.errors()
        bad_input(f"EMTA_CLIENT_{str(wrong['loc'][0]).upper()}: {wrong['ctx']['error']}", exit_code)
    return Client(settings.relay, settings.feedback, settings.bounce, on_wait=note)


def user_name() -> str:
    """Name who runs the command, for the record; in a container he may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def run(command: Coroutine[Any, Any, int | None]) -> None:
    """Run a command to its end; its result is the exit code."""
    try:
        raise SystemExit(asyncio.run(command) or 0)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. The interpreter flushes standard output on its way out.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise SystemExit(0) from None


def note(text: str) -> None:
    """Say something beside the output: on standard error, so that pipes stay as they are."""
    print(f"emta: {text}", file=sys.stderr, flush=True)


def bad_input(message: str, exit_code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Say in one line what is wrong with the input, and stop."""
    print(f"emta: {message}", file=sys.stderr)
    raise SystemExit(exit_code)


def bad_usage(error: TyperException) -> NoReturn:
    """Say in one line what is wrong with the options, and where to read of them; and stop."""
    told = error.format_message()
    if "\n" in told:  # `emta` alone: its help
        print(told, file=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT)
    context = getattr(error, "ctx", None)
    bad_input(f"{told.rstrip('.')} (see {context.command_path} --help)" if context else told)


def stop(problem: Problem) -> NoReturn:
    """Say a Problem in one line, and stop."""
    named = problem.field and not problem.message.startswith(problem.field)
    field = f"{problem.field}: " if named else ""
    print(f"emta: {field}{problem.message} ({problem.reason})", file=sys.stderr)
    raise SystemExit(EXIT_BAD_INPUT if problem.code in _BAD_INPUT else EXIT_FAILED)


def print_json(kind: str, message: Message | dict[str, Any]) -> None:
    """Print one JSON line: {"<kind>": {...}}."""
    fields = as_dict(message) if isinstance(message, Message) else message
    print(json.dumps({kind: fields}, ensure_ascii=False), flush=True)
