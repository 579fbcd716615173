"""What all commands have in common."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from emta.cli import app


def commands(command: Any, name: str = "emta") -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for part, each in below.items():
        yield from commands(each, f"{name} {part}")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_to_machines_too(name: str) -> None:
    options = [option for param in COMMANDS[name].params for option in param.opts]

    assert "--json" in options
