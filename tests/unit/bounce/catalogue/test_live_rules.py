"""Overrides are in force without a restart, and broken ones never."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.catalogue.rule_file import RuleError
from tests.support.clock import ManualClock
from tests.support.eventually import eventually
from tests.unit.bounce.rules import reply, rule

STRANGE = "550 flurble"


def override(name: str, text: str = "flurble") -> str:
    return rule(name, text=text, samples=[STRANGE])


def rule_for_strange(rules: LiveRules) -> str:
    return rules.qualifier.answer(reply(STRANGE)).meaning.rule_id


async def test_overrides_are_in_force_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(override("ours"))

    assert rule_for_strange(LiveRules(tmp_path)) == "ours"
    assert rule_for_strange(LiveRules(tmp_path / "ours.toml")) == "ours"
    assert rule_for_strange(LiveRules()) == "undetermined"


async def test_what_editors_leave_in_the_folder_is_no_override(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(override("ours"))
    (tmp_path / ".#ours.toml").symlink_to("anna@desk.4711")
    (tmp_path / "ours.toml~").write_text("half a ru")

    assert rule_for_strange(LiveRules(tmp_path)) == "ours"


async def test_what_changes_on_disk_is_in_force_soon(tmp_path: Path) -> None:
    clock = ManualClock()
    rules = LiveRules(tmp_path)
    before = rules.qualifier.catalogue.version

    async def changed() -> bool:
        clock.advance(5)
        return rule_for_strange(rules) == "ours"

    async with rules.following(clock):
        assert rule_for_strange(rules) == "undetermined"
        (tmp_path / "ours.toml").write_text(override("ours"))
        await eventually(changed)

    assert rules.qualifier.catalogue.version != before


async def test_a_broken_override_is_refused_and_shown_until_it_is_repaired(tmp_path: Path) -> None:
    clock = ManualClock()
    file = tmp_path / "ours.toml"
    file.write_text(override("ours"))
    rules = LiveRules(file)
    in_force = rules.qualifier.catalogue.version

    async def shown() -> bool:
        clock.advance(5)
        return bool(rules.error)

    async def repaired() -> bool:
        clock.advance(5)
        return rule_for_strange(rules) == "better"

    async with rules.following(clock):
        file.write_text(override("ours").replace("cause", "course"))
        await eventually(shown)
        assert rules.error == "ours.toml:4: rule ours: unknown key course; did you mean cause?"
        assert rules.qualifier.catalogue.version == in_force
        assert rule_for_strange(rules) == "ours"

        replacement = tmp_path / "new"
        replacement.write_text(override("better"))
        os.replace(replacement, file)
        await eventually(repaired)
        assert rules.error == ""


async def test_an_override_whose_sample_does_not_behave_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(override("ours"))
    rules = LiveRules(file)

    file.write_text(override("ours", text="gibberish"))
    with pytest.raises(RuleError, match="'550 flurble' is taken by undetermined"):
        await rules.reload()

    assert rule_for_strange(rules) == "ours"


async def test_overrides_that_vanish_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(override("ours"))
    rules = LiveRules(file)

    file.unlink()
    with pytest.raises(RuleError, match="No such file"):
        await rules.reload()

    assert rule_for_strange(rules) == "ours"


async def test_a_folder_that_may_not_be_read_any_more_is_not_an_empty_one() -> None:
    # Not pytest's folder: that is closed to others from its top.
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ours.toml").write_text(override("ours"))
        rules = LiveRules(folder)

        with unreadable(folder), pytest.raises(RuleError, match="Permission denied"):
            await rules.reload()

    assert rule_for_strange(rules) == "ours"


@contextmanager
def unreadable(folder: Path) -> Iterator[None]:
    """Take the permission to read a folder; root, who may read everything, is somebody else meanwhile."""
    user = os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


async def test_nothing_is_forgotten_when_nothing_changes(tmp_path: Path) -> None:
    rules = LiveRules(tmp_path)
    qualifier = rules.qualifier

    await rules.reload()

    assert rules.qualifier is qualifier


def test_broken_overrides_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(override("ours").replace("cause", "course"))

    with pytest.raises(RuleError, match=r"ours\.toml:4: rule ours: unknown key course"):
        LiveRules(tmp_path)
