"""`python -m services.relay` runs the Relay."""

from services.chassis.process import main
from services.chassis.workers import workers
from services.relay.app import running
from services.relay.settings import RelaySettings

if __name__ == "__main__":
    main(
        "relay",
        RelaySettings,
        running,
        supervise=lambda settings: (
            workers("relay", settings, settings.workers, settings.listen) if settings.workers > 1 else None
        ),
    )
