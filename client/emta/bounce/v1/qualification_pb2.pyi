import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_TYPE_UNSPECIFIED: _ClassVar[FailureType]
    FAILURE_TYPE_SOFT: _ClassVar[FailureType]
    FAILURE_TYPE_HARD: _ClassVar[FailureType]
    FAILURE_TYPE_IGNORED: _ClassVar[FailureType]
    FAILURE_TYPE_NOT_DEFINED: _ClassVar[FailureType]

class FailureReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_REASON_UNSPECIFIED: _ClassVar[FailureReason]
    FAILURE_REASON_NOT_DEFINED: _ClassVar[FailureReason]
    FAILURE_REASON_USER_UNKNOWN: _ClassVar[FailureReason]
    FAILURE_REASON_INVALID_DOMAIN: _ClassVar[FailureReason]
    FAILURE_REASON_UNREACHABLE: _ClassVar[FailureReason]
    FAILURE_REASON_ACCOUNT_DISABLED: _ClassVar[FailureReason]
    FAILURE_REASON_MAILBOX_FULL: _ClassVar[FailureReason]
    FAILURE_REASON_REFUSED: _ClassVar[FailureReason]
    FAILURE_REASON_ERROR_IGNORED: _ClassVar[FailureReason]
    FAILURE_REASON_DENYLISTED: _ClassVar[FailureReason]

class BounceCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOUNCE_CODE_UNSPECIFIED: _ClassVar[BounceCode]
    BOUNCE_CODE_UNDETERMINED: _ClassVar[BounceCode]
    BOUNCE_CODE_INVALID_RECIPIENT: _ClassVar[BounceCode]
    BOUNCE_CODE_RECIPIENT_REFUSED: _ClassVar[BounceCode]
    BOUNCE_CODE_SOFT_BOUNCE: _ClassVar[BounceCode]
    BOUNCE_CODE_DNS_FAILURE: _ClassVar[BounceCode]
    BOUNCE_CODE_MAILBOX_FULL: _ClassVar[BounceCode]
    BOUNCE_CODE_TOO_LARGE: _ClassVar[BounceCode]
    BOUNCE_CODE_TIMEOUT: _ClassVar[BounceCode]
    BOUNCE_CODE_ADMIN_FAILURE: _ClassVar[BounceCode]
    BOUNCE_CODE_GENERIC_NO_RCPT: _ClassVar[BounceCode]
    BOUNCE_CODE_GENERIC: _ClassVar[BounceCode]
    BOUNCE_CODE_MAIL_BLOCK: _ClassVar[BounceCode]
    BOUNCE_CODE_SPAM_BLOCK: _ClassVar[BounceCode]
    BOUNCE_CODE_SPAM_CONTENT: _ClassVar[BounceCode]
    BOUNCE_CODE_PROHIBITED_ATTACHMENT: _ClassVar[BounceCode]
    BOUNCE_CODE_RELAYING_DENIED: _ClassVar[BounceCode]
    BOUNCE_CODE_AUTO_REPLY: _ClassVar[BounceCode]
    BOUNCE_CODE_TRANSIENT_FAILURE: _ClassVar[BounceCode]
    BOUNCE_CODE_SUBSCRIBE: _ClassVar[BounceCode]
    BOUNCE_CODE_UNSUBSCRIBE: _ClassVar[BounceCode]
    BOUNCE_CODE_CHALLENGE_RESPONSE: _ClassVar[BounceCode]

class Disposition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSITION_UNSPECIFIED: _ClassVar[Disposition]
    DISPOSITION_RETRY: _ClassVar[Disposition]
    DISPOSITION_RETRY_LATER: _ClassVar[Disposition]
    DISPOSITION_FINAL: _ClassVar[Disposition]

class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAUSE_UNSPECIFIED: _ClassVar[Cause]
    CAUSE_MAILBOX: _ClassVar[Cause]
    CAUSE_BUSY: _ClassVar[Cause]
    CAUSE_GREYLIST: _ClassVar[Cause]
    CAUSE_CONNECTIONS: _ClassVar[Cause]
    CAUSE_SESSION: _ClassVar[Cause]
    CAUSE_RATE: _ClassVar[Cause]
    CAUSE_DAY_CAP: _ClassVar[Cause]
    CAUSE_REPUTATION: _ClassVar[Cause]
    CAUSE_COMPLAINT: _ClassVar[Cause]
    CAUSE_LISTED: _ClassVar[Cause]
    CAUSE_BLOCK: _ClassVar[Cause]
    CAUSE_CONTENT: _ClassVar[Cause]
    CAUSE_AUTHENTICATION: _ClassVar[Cause]
    CAUSE_LIST_HYGIENE: _ClassVar[Cause]
    CAUSE_CONFIGURATION: _ClassVar[Cause]
    CAUSE_NETWORK: _ClassVar[Cause]

class Scope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCOPE_UNSPECIFIED: _ClassVar[Scope]
    SCOPE_RECIPIENT: _ClassVar[Scope]
    SCOPE_MESSAGE: _ClassVar[Scope]
    SCOPE_DELIVERY: _ClassVar[Scope]
    SCOPE_FROM_DOMAIN: _ClassVar[Scope]
    SCOPE_TENANT: _ClassVar[Scope]
    SCOPE_SOURCE_AT_SITE: _ClassVar[Scope]
    SCOPE_SOURCE: _ClassVar[Scope]
    SCOPE_SITE: _ClassVar[Scope]
FAILURE_TYPE_UNSPECIFIED: FailureType
FAILURE_TYPE_SOFT: FailureType
FAILURE_TYPE_HARD: FailureType
FAILURE_TYPE_IGNORED: FailureType
FAILURE_TYPE_NOT_DEFINED: FailureType
FAILURE_REASON_UNSPECIFIED: FailureReason
FAILURE_REASON_NOT_DEFINED: FailureReason
FAILURE_REASON_USER_UNKNOWN: FailureReason
FAILURE_REASON_INVALID_DOMAIN: FailureReason
FAILURE_REASON_UNREACHABLE: FailureReason
FAILURE_REASON_ACCOUNT_DISABLED: FailureReason
FAILURE_REASON_MAILBOX_FULL: FailureReason
FAILURE_REASON_REFUSED: FailureReason
FAILURE_REASON_ERROR_IGNORED: FailureReason
FAILURE_REASON_DENYLISTED: FailureReason
BOUNCE_CODE_UNSPECIFIED: BounceCode
BOUNCE_CODE_UNDETERMINED: BounceCode
BOUNCE_CODE_INVALID_RECIPIENT: BounceCode
BOUNCE_CODE_RECIPIENT_REFUSED: BounceCode
BOUNCE_CODE_SOFT_BOUNCE: BounceCode
BOUNCE_CODE_DNS_FAILURE: BounceCode
BOUNCE_CODE_MAILBOX_FULL: BounceCode
BOUNCE_CODE_TOO_LARGE: BounceCode
BOUNCE_CODE_TIMEOUT: BounceCode
BOUNCE_CODE_ADMIN_FAILURE: BounceCode
BOUNCE_CODE_GENERIC_NO_RCPT: BounceCode
BOUNCE_CODE_GENERIC: BounceCode
BOUNCE_CODE_MAIL_BLOCK: BounceCode
BOUNCE_CODE_SPAM_BLOCK: BounceCode
BOUNCE_CODE_SPAM_CONTENT: BounceCode
BOUNCE_CODE_PROHIBITED_ATTACHMENT: BounceCode
BOUNCE_CODE_RELAYING_DENIED: BounceCode
BOUNCE_CODE_AUTO_REPLY: BounceCode
BOUNCE_CODE_TRANSIENT_FAILURE: BounceCode
BOUNCE_CODE_SUBSCRIBE: BounceCode
BOUNCE_CODE_UNSUBSCRIBE: BounceCode
BOUNCE_CODE_CHALLENGE_RESPONSE: BounceCode
DISPOSITION_UNSPECIFIED: Disposition
DISPOSITION_RETRY: Disposition
DISPOSITION_RETRY_LATER: Disposition
DISPOSITION_FINAL: Disposition
CAUSE_UNSPECIFIED: Cause
CAUSE_MAILBOX: Cause
CAUSE_BUSY: Cause
CAUSE_GREYLIST: Cause
CAUSE_CONNECTIONS: Cause
CAUSE_SESSION: Cause
CAUSE_RATE: Cause
CAUSE_DAY_CAP: Cause
CAUSE_REPUTATION: Cause
CAUSE_COMPLAINT: Cause
CAUSE_LISTED: Cause
CAUSE_BLOCK: Cause
CAUSE_CONTENT: Cause
CAUSE_AUTHENTICATION: Cause
CAUSE_LIST_HYGIENE: Cause
CAUSE_CONFIGURATION: Cause
CAUSE_NETWORK: Cause
SCOPE_UNSPECIFIED: Scope
SCOPE_RECIPIENT: Scope
SCOPE_MESSAGE: Scope
SCOPE_DELIVERY: Scope
SCOPE_FROM_DOMAIN: Scope
SCOPE_TENANT: Scope
SCOPE_SOURCE_AT_SITE: Scope
SCOPE_SOURCE: Scope
SCOPE_SITE: Scope

class Qualification(_message.Message):
    __slots__ = ("type", "reason", "campaign_reason", "bounce_code", "disposition", "cause", "scope", "wait_hint", "rule_id", "normalized_text", "normalized_md5", "incident_id", "held_reason", "held_bounce_code")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_REASON_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    WAIT_HINT_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_TEXT_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_MD5_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_REASON_FIELD_NUMBER: _ClassVar[int]
    HELD_BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    type: FailureType
    reason: FailureReason
    campaign_reason: int
    bounce_code: BounceCode
    disposition: Disposition
    cause: Cause
    scope: Scope
    wait_hint: _duration_pb2.Duration
    rule_id: str
    normalized_text: str
    normalized_md5: str
    incident_id: str
    held_reason: FailureReason
    held_bounce_code: BounceCode
    def __init__(self, type: _Optional[_Union[FailureType, str]] = ..., reason: _Optional[_Union[FailureReason, str]] = ..., campaign_reason: _Optional[int] = ..., bounce_code: _Optional[_Union[BounceCode, str]] = ..., disposition: _Optional[_Union[Disposition, str]] = ..., cause: _Optional[_Union[Cause, str]] = ..., scope: _Optional[_Union[Scope, str]] = ..., wait_hint: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rule_id: _Optional[str] = ..., normalized_text: _Optional[str] = ..., normalized_md5: _Optional[str] = ..., incident_id: _Optional[str] = ..., held_reason: _Optional[_Union[FailureReason, str]] = ..., held_bounce_code: _Optional[_Union[BounceCode, str]] = ...) -> None: ...
