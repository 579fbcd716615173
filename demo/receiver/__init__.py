"""A receiving Internet in one process: name server, mail servers and a journal of what arrived."""

from demo.receiver.journal import Journal
from demo.receiver.receiver import Receiver
from demo.receiver.traits import Starttls, Traits
from demo.receiver.zone import Zone

__all__ = ["Journal", "Receiver", "Starttls", "Traits", "Zone"]
