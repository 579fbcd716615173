"""Write docs/reference/settings.md from the settings classes, and draw docs/reference/retries.svg.

python -m tools.reference
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from emta.cli.console import ClientSettings
from services.bounce.settings import BounceSettings
from services.chassis.settings import meaning, shown_value
from services.feedback.settings import FeedbackSettings
from services.relay.settings import RelaySettings
from services.signer.settings import SignerSettings
from tools import schedules

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "settings.md"

_HEAD = """# Settings

Written by `make protos` from the settings classes; a test fails when it is stale.

Settings come from the environment only. A name that does not exist, or a value that breaks its rule,
stops the start with one line that says which. `python -m services.<name> --check` reads the settings
and stops; `--help` prints this list for one service.
"""
SECTIONS: dict[str, type[BaseSettings]] = {
    "Relay": RelaySettings,
    "Signer": SignerSettings,
    "Bounce": BounceSettings,
    "Feedback": FeedbackSettings,
    "The command `emta`": ClientSettings,
}


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return ""  # depends on the machine; the description says how
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    shown = shown_value(value)
    return f"`{shown}`" if shown else ""


def page() -> str:
    """Give the page's text."""
    lines = [_HEAD]
    for title, settings in SECTIONS.items():
        prefix = settings.model_config["env_prefix"]
        lines += [f"## {title}", "", "| Name | Default | Meaning |", "|---|---|---|"]
        for name, field in settings.model_fields.items():
            text = meaning(field).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| `{prefix}{name.upper()}` | {_default(field)} | {text} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
    schedules.PICTURE.write_text(schedules.picture())
