"""`python -m chaos.poisoned_signer`: the Signer, but for one defect: a marked message kills it."""

from __future__ import annotations

import os
from typing import Any

import grpc

from emta.signer.v1.signer_service_pb2 import SignRequest, SignResponse
from services.chassis import process
from services.signer import app
from services.signer.server import SignerService
from services.signer.settings import SignerSettings

MARK = "X-Poison"
_EXIT_CODE = 70


class _Poisoned(SignerService):
    async def Sign(self, request: SignRequest, context: grpc.aio.ServicerContext[Any, Any]) -> SignResponse:
        """Sign a batch, or die of it at once, as by a defect in native code."""
        for item in request.items:
            if MARK.encode() in (item.header_and_body_hash.header_block or item.content):
                os._exit(_EXIT_CODE)
        return await super().Sign(request, context)


if __name__ == "__main__":
    setattr(app, "SignerService", _Poisoned)  # noqa: B010 -- what app.running will take
    process.main("signer", SignerSettings, app.running)
