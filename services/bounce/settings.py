"""Settings of Bounce."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class BounceSettings(ServiceSettings):
    """EMTA_BOUNCE_*."""

    model_config = SettingsConfigDict(env_prefix="EMTA_BOUNCE_")

    listen: str = Field("127.0.0.1:50053", description="Address to serve gRPC on, host:port; port 0: any.")
