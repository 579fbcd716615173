from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SmtpPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SMTP_PHASE_UNSPECIFIED: _ClassVar[SmtpPhase]
    SMTP_PHASE_DNS: _ClassVar[SmtpPhase]
    SMTP_PHASE_CONNECT: _ClassVar[SmtpPhase]
    SMTP_PHASE_EHLO: _ClassVar[SmtpPhase]
    SMTP_PHASE_STARTTLS: _ClassVar[SmtpPhase]
    SMTP_PHASE_MAIL: _ClassVar[SmtpPhase]
    SMTP_PHASE_RCPT: _ClassVar[SmtpPhase]
    SMTP_PHASE_DATA: _ClassVar[SmtpPhase]
    SMTP_PHASE_DOT: _ClassVar[SmtpPhase]
    SMTP_PHASE_TIMEOUT: _ClassVar[SmtpPhase]

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_DOMAIN_NOT_FOUND: _ClassVar[FailureKind]
    FAILURE_KIND_NO_MX: _ClassVar[FailureKind]
    FAILURE_KIND_NULL_MX: _ClassVar[FailureKind]
    FAILURE_KIND_FORBIDDEN_NETWORK: _ClassVar[FailureKind]
    FAILURE_KIND_DNS_UNAVAILABLE: _ClassVar[FailureKind]
    FAILURE_KIND_CONNECTION_REFUSED: _ClassVar[FailureKind]
    FAILURE_KIND_CONNECTION_LOST: _ClassVar[FailureKind]
    FAILURE_KIND_TIMEOUT: _ClassVar[FailureKind]
    FAILURE_KIND_TLS_FAILED: _ClassVar[FailureKind]
    FAILURE_KIND_PROTOCOL_ERROR: _ClassVar[FailureKind]
    FAILURE_KIND_EXTENSION_MISSING: _ClassVar[FailureKind]
    FAILURE_KIND_LOOP: _ClassVar[FailureKind]
SMTP_PHASE_UNSPECIFIED: SmtpPhase
SMTP_PHASE_DNS: SmtpPhase
SMTP_PHASE_CONNECT: SmtpPhase
SMTP_PHASE_EHLO: SmtpPhase
SMTP_PHASE_STARTTLS: SmtpPhase
SMTP_PHASE_MAIL: SmtpPhase
SMTP_PHASE_RCPT: SmtpPhase
SMTP_PHASE_DATA: SmtpPhase
SMTP_PHASE_DOT: SmtpPhase
SMTP_PHASE_TIMEOUT: SmtpPhase
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_DOMAIN_NOT_FOUND: FailureKind
FAILURE_KIND_NO_MX: FailureKind
FAILURE_KIND_NULL_MX: FailureKind
FAILURE_KIND_FORBIDDEN_NETWORK: FailureKind
FAILURE_KIND_DNS_UNAVAILABLE: FailureKind
FAILURE_KIND_CONNECTION_REFUSED: FailureKind
FAILURE_KIND_CONNECTION_LOST: FailureKind
FAILURE_KIND_TIMEOUT: FailureKind
FAILURE_KIND_TLS_FAILED: FailureKind
FAILURE_KIND_PROTOCOL_ERROR: FailureKind
FAILURE_KIND_EXTENSION_MISSING: FailureKind
FAILURE_KIND_LOOP: FailureKind

class SmtpReply(_message.Message):
    __slots__ = ("phase", "code", "enhanced_code", "text", "failure", "mx_host", "remote_ip", "recipient_domain", "tls_version", "local_ip")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    MX_HOST_FIELD_NUMBER: _ClassVar[int]
    REMOTE_IP_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    TLS_VERSION_FIELD_NUMBER: _ClassVar[int]
    LOCAL_IP_FIELD_NUMBER: _ClassVar[int]
    phase: SmtpPhase
    code: int
    enhanced_code: str
    text: str
    failure: FailureKind
    mx_host: str
    remote_ip: str
    recipient_domain: str
    tls_version: str
    local_ip: str
    def __init__(self, phase: _Optional[_Union[SmtpPhase, str]] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., text: _Optional[str] = ..., failure: _Optional[_Union[FailureKind, str]] = ..., mx_host: _Optional[str] = ..., remote_ip: _Optional[str] = ..., recipient_domain: _Optional[str] = ..., tls_version: _Optional[str] = ..., local_ip: _Optional[str] = ...) -> None: ...
