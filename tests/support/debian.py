"""Peers that we did not write come from Debian's packages."""

from __future__ import annotations

import os
import shutil

import pytest

_PROGRAMS = {
    "postfix": ("postfix", "postconf"),
    "opendkim": ("opendkim",),
}
_SBIN = "/usr/sbin"


def program(name: str) -> str | None:
    """Path of a program, also where users have no /usr/sbin in their PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def require_packages(*packages: str) -> None:
    """Skip where a package is missing; fail instead where REQUIRE_DEBIAN is set (CI)."""
    missing = [p for p in packages if not all(program(name) for name in _PROGRAMS[p])]
    if not missing:
        return
    reason = f"needs the Debian package {', '.join(missing)}"
    if os.environ.get("REQUIRE_DEBIAN"):
        pytest.fail(reason)
    pytest.skip(reason)
