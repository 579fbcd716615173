"""The documentation says what is true."""

import re
from pathlib import Path

import pytest

from tools import reference, schedules

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("services/*/*.md"),
        *ROOT.glob("deploy/**/*.md"),
    ]
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_the_settings_page_is_fresh() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run: make protos"


def test_the_picture_of_the_retries_is_fresh() -> None:
    assert schedules.PICTURE.read_text() == schedules.picture(), "run: make protos"


@pytest.mark.parametrize("title", reference.SECTIONS)
def test_every_setting_is_explained(title: str) -> None:
    silent = [
        name for name, field in reference.SECTIONS[title].model_fields.items() if not field.description
    ]

    assert silent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text()))

    assert named
    assert named <= targets
