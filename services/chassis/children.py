"""Child processes that do not outlive us.

Not by preexec_fn: with it Python forks, and of children forked while gRPC's threads run one in five
crashed before its exec (measured: 46 of 250), because gRPC's fork handlers run in them. Without it Python
uses vfork, which runs no handlers (0 of 250).
"""

from __future__ import annotations

import os
import sys

# PR_SET_PDEATHSIG, 1, survives the exec. A parent that died before it was set is seen by its id.
_TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def tethered(*command: str) -> tuple[str, ...]:
    """Extend a command so that the kernel stops it with SIGTERM when we die, however we die (Linux)."""
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *command)
