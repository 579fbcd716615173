"""The one error model: what goes wrong, said the same way on both sides of the wire.

A Problem is a gRPC status code, a stable reason (UPPER_SNAKE_CASE, docs/reference/errors.md), a text for
people, and where it applies the field and the delay after which to try again. On the wire it is a
google.rpc.Status with ErrorInfo, BadRequest and RetryInfo details (google.aip.dev/193).
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

DOMAIN = "emta"
STATUS_DETAILS_KEY = "grpc-status-details-bin"

# It travels in the call's trailers, once escaped and once or twice within the details; gRPC drops the whole
# status above 8 KiB of trailers, also where every character takes four octets.
_LONGEST_MESSAGE = 250

# What gRPC says of a call that a stopping server, or a proxy, let fall: none of us took it up, for what we
# say has details.
_RESET = "RST_STREAM"

_TRANSIENT = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Problem(Exception):
    """Something that the caller should know. Texts may change, reasons may not."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        field: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message[:_LONGEST_MESSAGE]
        self.field = field
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after  # seconds

    def __repr__(self) -> str:
        return f"Problem({self.code.name}, {self.reason}, {self.message!r}, field={self.field!r})"

    @property
    def is_transient(self) -> bool:
        """Whether the same may be answered otherwise in a while."""
        return self.code in _TRANSIENT

    def to_status(self) -> Status:
        """Encode as google.rpc.Status."""
        status = Status(code=self.code.value[0], message=self.message)
        info = ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        status.details.append(_pack(info))
        if self.field:
            violation = BadRequest.FieldViolation(
                field=self.field, description=self.message, reason=self.reason
            )
            status.details.append(_pack(BadRequest(field_violations=[violation])))
        if self.retry_after is not None:
            retry = RetryInfo()
            retry.retry_delay.FromMilliseconds(round(self.retry_after * 1000))
            status.details.append(_pack(retry))
        return status

    @classmethod
    def from_status(cls, status: Status) -> Problem:
        """Decode a google.rpc.Status; one without details keeps its code's name as the reason."""
        code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
        info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
        retry_after = None
        for detail in status.details:
            if detail.Unpack(info) or detail.Unpack(bad_request):
                continue
            if detail.Unpack(retry):
                retry_after = retry.retry_delay.ToMilliseconds() / 1000
        violations = bad_request.field_violations
        return cls(
            code,
            info.reason or code.name,
            status.message,
            field=violations[0].field if violations else "",
            metadata=info.metadata,
            retry_after=retry_after,
        )

    @classmethod
    def from_rpc_error(cls, error: grpc.aio.AioRpcError) -> Problem:
        """Decode what a failed call carries; UNAVAILABLE where it was let fall on the way."""
        for key, value in error.trailing_metadata() or ():
            if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
                try:
                    return cls.from_status(Status.FromString(value))
                except DecodeError:
                    break
        code, text = error.code(), error.details() or ""
        if code is grpc.StatusCode.CANCELLED or (code is grpc.StatusCode.INTERNAL and _RESET in text):
            code = grpc.StatusCode.UNAVAILABLE
        return cls(code, code.name, text or code.name.lower())


def in_words(error: Exception) -> str:
    """Say what is wrong; of a file, its name and the system's word for it, where Python has "[Errno 2]"."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def _pack(detail: ErrorInfo | BadRequest | RetryInfo) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed


def invalid(field: str, reason: str, message: str, **metadata: str) -> Problem:
    """INVALID_ARGUMENT: `field` breaks a rule."""
    return Problem(grpc.StatusCode.INVALID_ARGUMENT, reason, message, field=field, metadata=metadata)


def not_found(reason: str, message: str, **metadata: str) -> Problem:
    """NOT_FOUND: what is asked for does not exist."""
    return Problem(grpc.StatusCode.NOT_FOUND, reason, message, metadata=metadata)


def failed_precondition(reason: str, message: str, **metadata: str) -> Problem:
    """FAILED_PRECONDITION: not now, not before something else happens."""
    return Problem(grpc.StatusCode.FAILED_PRECONDITION, reason, message, metadata=metadata)


def unavailable(reason: str, message: str, *, retry_after: float = 1.0) -> Problem:
    """UNAVAILABLE: something that is needed is away; try again after `retry_after` seconds."""
    return Problem(grpc.StatusCode.UNAVAILABLE, reason, message, retry_after=retry_after)


def unimplemented(field: str, reason: str, message: str) -> Problem:
    """UNIMPLEMENTED: the contract has a place for it, this version has not."""
    return Problem(grpc.StatusCode.UNIMPLEMENTED, reason, message, field=field)
