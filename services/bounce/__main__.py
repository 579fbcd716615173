"""`python -m services.bounce` serves; `python -m services.bounce check` checks the rules."""

import sys

from services.bounce import check
from services.bounce.app import running
from services.bounce.settings import BounceSettings
from services.chassis import process

if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        raise SystemExit(check.main())
    process.main("bounce", BounceSettings, running)
