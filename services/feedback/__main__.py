"""`python -m services.feedback` serves."""

from services.chassis import process
from services.feedback.app import running
from services.feedback.settings import FeedbackSettings

if __name__ == "__main__":
    process.main("feedback", FeedbackSettings, running)
