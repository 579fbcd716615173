"""`python -m services.relay` serves."""

from services.chassis import process
from services.relay.app import running
from services.relay.settings import RelaySettings

if __name__ == "__main__":
    process.main("relay", RelaySettings, running)
