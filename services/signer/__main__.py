"""`python -m services.signer` serves."""

from services.chassis import process
from services.signer.app import running
from services.signer.settings import SignerSettings

if __name__ == "__main__":
    process.main("signer", SignerSettings, running)
