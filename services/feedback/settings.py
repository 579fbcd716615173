"""Settings of Feedback."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import LedgerSettings, Listen


class FeedbackSettings(LedgerSettings):
    """EMTA_FEEDBACK_*."""

    model_config = SettingsConfigDict(env_prefix="EMTA_FEEDBACK_")

    listen: Listen = Field(
        "127.0.0.1:50054", description="Address to serve gRPC on, host:port; port 0: any."
    )
