"""`python -m services.bounce` serves; with a command it checks the rules or uses them offline."""

import sys

from services.bounce.app import running
from services.bounce.catalogue import check
from services.bounce.offline import mails, replies, trial
from services.bounce.settings import BounceSettings
from services.chassis import process

_COMMANDS = {
    "check": check.main,
    "try": trial.main,
    "qualify": replies.main,
    "inbound": mails.main,
}
_HELP = """\
  check [--overlaps] [OVERRIDES]   whether the rules' samples behave and every rule can win
  try OVERRIDES < replies.jsonl    what overrides would change for past replies
  qualify < replies.jsonl          what replies mean, offline
  inbound DIR                      what the mails of a folder mean, offline"""

if __name__ == "__main__":
    if sys.argv[1:] and (command := _COMMANDS.get(sys.argv[1])):
        try:
            code = command(sys.argv[2:])
        except KeyboardInterrupt:
            code = 130  # as shells tell it
        except BrokenPipeError as error:
            code = replies.failed(sys.argv[1], error)
        raise SystemExit(code)
    process.main("bounce", BounceSettings, running, commands=_HELP)
