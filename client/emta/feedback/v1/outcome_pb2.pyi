import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from emta.bounce.v1 import smtp_reply_pb2 as _smtp_reply_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CAUSE_UNSPECIFIED: _ClassVar[FailureCause]
    FAILURE_CAUSE_REFUSED: _ClassVar[FailureCause]
    FAILURE_CAUSE_EXPIRED: _ClassVar[FailureCause]
    FAILURE_CAUSE_NO_KEY: _ClassVar[FailureCause]
    FAILURE_CAUSE_INTERNAL: _ClassVar[FailureCause]
    FAILURE_CAUSE_KILLED: _ClassVar[FailureCause]

class HoldCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOLD_CAUSE_UNSPECIFIED: _ClassVar[HoldCause]
    HOLD_CAUSE_NO_KEY: _ClassVar[HoldCause]
    HOLD_CAUSE_SIGNER_UNAVAILABLE: _ClassVar[HoldCause]
    HOLD_CAUSE_BOUNCE_UNAVAILABLE: _ClassVar[HoldCause]

class AddressStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADDRESS_STATUS_UNSPECIFIED: _ClassVar[AddressStatus]
    ADDRESS_STATUS_DENYLISTED: _ClassVar[AddressStatus]

class SubscriptionWish(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBSCRIPTION_WISH_UNSPECIFIED: _ClassVar[SubscriptionWish]
    SUBSCRIPTION_WISH_UNSUBSCRIBE: _ClassVar[SubscriptionWish]
    SUBSCRIPTION_WISH_SUBSCRIBE: _ClassVar[SubscriptionWish]
FAILURE_CAUSE_UNSPECIFIED: FailureCause
FAILURE_CAUSE_REFUSED: FailureCause
FAILURE_CAUSE_EXPIRED: FailureCause
FAILURE_CAUSE_NO_KEY: FailureCause
FAILURE_CAUSE_INTERNAL: FailureCause
FAILURE_CAUSE_KILLED: FailureCause
HOLD_CAUSE_UNSPECIFIED: HoldCause
HOLD_CAUSE_NO_KEY: HoldCause
HOLD_CAUSE_SIGNER_UNAVAILABLE: HoldCause
HOLD_CAUSE_BOUNCE_UNAVAILABLE: HoldCause
ADDRESS_STATUS_UNSPECIFIED: AddressStatus
ADDRESS_STATUS_DENYLISTED: AddressStatus
SUBSCRIPTION_WISH_UNSPECIFIED: SubscriptionWish
SUBSCRIPTION_WISH_UNSUBSCRIBE: SubscriptionWish
SUBSCRIPTION_WISH_SUBSCRIBE: SubscriptionWish

class Outcome(_message.Message):
    __slots__ = ("tenant", "delivery_id", "message_id", "sequence", "event_time", "recipient", "seed", "retry_count", "traceparent", "epoch", "taken_into_account", "deferral", "sent", "failure", "unknown_result", "cancellation", "hold", "async_bounce", "complaint", "correction", "subscription_request")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TAKEN_INTO_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    DEFERRAL_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_RESULT_FIELD_NUMBER: _ClassVar[int]
    CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    ASYNC_BOUNCE_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_REQUEST_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    delivery_id: str
    message_id: str
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    recipient: str
    seed: bool
    retry_count: int
    traceparent: str
    epoch: int
    taken_into_account: TakenIntoAccount
    deferral: Deferral
    sent: Sent
    failure: Failure
    unknown_result: UnknownResult
    cancellation: Cancellation
    hold: Hold
    async_bounce: AsyncBounce
    complaint: Complaint
    correction: Correction
    subscription_request: SubscriptionRequest
    def __init__(self, tenant: _Optional[str] = ..., delivery_id: _Optional[str] = ..., message_id: _Optional[str] = ..., sequence: _Optional[int] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recipient: _Optional[str] = ..., seed: _Optional[bool] = ..., retry_count: _Optional[int] = ..., traceparent: _Optional[str] = ..., epoch: _Optional[int] = ..., taken_into_account: _Optional[_Union[TakenIntoAccount, _Mapping]] = ..., deferral: _Optional[_Union[Deferral, _Mapping]] = ..., sent: _Optional[_Union[Sent, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., unknown_result: _Optional[_Union[UnknownResult, _Mapping]] = ..., cancellation: _Optional[_Union[Cancellation, _Mapping]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., async_bounce: _Optional[_Union[AsyncBounce, _Mapping]] = ..., complaint: _Optional[_Union[Complaint, _Mapping]] = ..., correction: _Optional[_Union[Correction, _Mapping]] = ..., subscription_request: _Optional[_Union[SubscriptionRequest, _Mapping]] = ...) -> None: ...

class TakenIntoAccount(_message.Message):
    __slots__ = ("deadline_time", "size_bytes", "metadata", "header_message_id", "signed_return_path")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    HEADER_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNED_RETURN_PATH_FIELD_NUMBER: _ClassVar[int]
    deadline_time: _timestamp_pb2.Timestamp
    size_bytes: int
    metadata: _containers.ScalarMap[str, str]
    header_message_id: str
    signed_return_path: bool
    def __init__(self, deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size_bytes: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ..., header_message_id: _Optional[str] = ..., signed_return_path: _Optional[bool] = ...) -> None: ...

class Deferral(_message.Message):
    __slots__ = ("reply", "qualification", "next_attempt_time")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    QUALIFICATION_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    reply: _smtp_reply_pb2.SmtpReply
    qualification: _qualification_pb2.Qualification
    next_attempt_time: _timestamp_pb2.Timestamp
    def __init__(self, reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., qualification: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Sent(_message.Message):
    __slots__ = ("reply_text", "mx_host", "remote_ip", "local_ip", "tls_version", "queue_time", "presumed", "size_bytes")
    REPLY_TEXT_FIELD_NUMBER: _ClassVar[int]
    MX_HOST_FIELD_NUMBER: _ClassVar[int]
    REMOTE_IP_FIELD_NUMBER: _ClassVar[int]
    LOCAL_IP_FIELD_NUMBER: _ClassVar[int]
    TLS_VERSION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIME_FIELD_NUMBER: _ClassVar[int]
    PRESUMED_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    reply_text: str
    mx_host: str
    remote_ip: str
    local_ip: str
    tls_version: str
    queue_time: _duration_pb2.Duration
    presumed: bool
    size_bytes: int
    def __init__(self, reply_text: _Optional[str] = ..., mx_host: _Optional[str] = ..., remote_ip: _Optional[str] = ..., local_ip: _Optional[str] = ..., tls_version: _Optional[str] = ..., queue_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., presumed: _Optional[bool] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("cause", "reply", "qualification")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    QUALIFICATION_FIELD_NUMBER: _ClassVar[int]
    cause: FailureCause
    reply: _smtp_reply_pb2.SmtpReply
    qualification: _qualification_pb2.Qualification
    def __init__(self, cause: _Optional[_Union[FailureCause, str]] = ..., reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., qualification: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ...) -> None: ...

class UnknownResult(_message.Message):
    __slots__ = ("reply", "next_attempt_time")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    reply: _smtp_reply_pb2.SmtpReply
    next_attempt_time: _timestamp_pb2.Timestamp
    def __init__(self, reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Cancellation(_message.Message):
    __slots__ = ("actor", "comment")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    actor: str
    comment: str
    def __init__(self, actor: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("cause", "next_attempt_time", "domain")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    cause: HoldCause
    next_attempt_time: _timestamp_pb2.Timestamp
    domain: str
    def __init__(self, cause: _Optional[_Union[HoldCause, str]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., domain: _Optional[str] = ...) -> None: ...

class AsyncBounce(_message.Message):
    __slots__ = ("reply", "qualification")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    QUALIFICATION_FIELD_NUMBER: _ClassVar[int]
    reply: _smtp_reply_pb2.SmtpReply
    qualification: _qualification_pb2.Qualification
    def __init__(self, reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., qualification: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ...) -> None: ...

class Complaint(_message.Message):
    __slots__ = ("feedback_type", "reported_by", "address_event")
    FEEDBACK_TYPE_FIELD_NUMBER: _ClassVar[int]
    REPORTED_BY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_EVENT_FIELD_NUMBER: _ClassVar[int]
    feedback_type: str
    reported_by: str
    address_event: AddressEvent
    def __init__(self, feedback_type: _Optional[str] = ..., reported_by: _Optional[str] = ..., address_event: _Optional[_Union[AddressEvent, _Mapping]] = ...) -> None: ...

class AddressEvent(_message.Message):
    __slots__ = ("status", "reason", "campaign_reason")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_REASON_FIELD_NUMBER: _ClassVar[int]
    status: AddressStatus
    reason: _qualification_pb2.FailureReason
    campaign_reason: int
    def __init__(self, status: _Optional[_Union[AddressStatus, str]] = ..., reason: _Optional[_Union[_qualification_pb2.FailureReason, str]] = ..., campaign_reason: _Optional[int] = ...) -> None: ...

class SubscriptionRequest(_message.Message):
    __slots__ = ("wish", "requested_by")
    WISH_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    wish: SubscriptionWish
    requested_by: str
    def __init__(self, wish: _Optional[_Union[SubscriptionWish, str]] = ..., requested_by: _Optional[str] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("corrects", "queued_again", "qualification", "actor", "comment", "was", "reply", "failure_time", "requalification_id", "resubmit_until_time")
    CORRECTS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_AGAIN_FIELD_NUMBER: _ClassVar[int]
    QUALIFICATION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUALIFICATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESUBMIT_UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    corrects: int
    queued_again: bool
    qualification: _qualification_pb2.Qualification
    actor: str
    comment: str
    was: _qualification_pb2.Qualification
    reply: _smtp_reply_pb2.SmtpReply
    failure_time: _timestamp_pb2.Timestamp
    requalification_id: str
    resubmit_until_time: _timestamp_pb2.Timestamp
    def __init__(self, corrects: _Optional[int] = ..., queued_again: _Optional[bool] = ..., qualification: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ..., was: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., requalification_id: _Optional[str] = ..., resubmit_until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
