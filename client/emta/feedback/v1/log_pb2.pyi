import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from emta.bounce.v1 import smtp_reply_pb2 as _smtp_reply_pb2
from emta.feedback.v1 import outcome_pb2 as _outcome_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_STATUS_UNSPECIFIED: _ClassVar[LogStatus]
    LOG_STATUS_PENDING: _ClassVar[LogStatus]
    LOG_STATUS_TAKEN_INTO_ACCOUNT: _ClassVar[LogStatus]
    LOG_STATUS_SENT: _ClassVar[LogStatus]
    LOG_STATUS_FAILED: _ClassVar[LogStatus]
    LOG_STATUS_CANCELLED: _ClassVar[LogStatus]
    LOG_STATUS_IGNORED: _ClassVar[LogStatus]

class LogEffect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_EFFECT_UNSPECIFIED: _ClassVar[LogEffect]
    LOG_EFFECT_APPLIED: _ClassVar[LogEffect]
    LOG_EFFECT_RECORDED: _ClassVar[LogEffect]
    LOG_EFFECT_CONFLICT: _ClassVar[LogEffect]
LOG_STATUS_UNSPECIFIED: LogStatus
LOG_STATUS_PENDING: LogStatus
LOG_STATUS_TAKEN_INTO_ACCOUNT: LogStatus
LOG_STATUS_SENT: LogStatus
LOG_STATUS_FAILED: LogStatus
LOG_STATUS_CANCELLED: LogStatus
LOG_STATUS_IGNORED: LogStatus
LOG_EFFECT_UNSPECIFIED: LogEffect
LOG_EFFECT_APPLIED: LogEffect
LOG_EFFECT_RECORDED: LogEffect
LOG_EFFECT_CONFLICT: LogEffect

class LogEntry(_message.Message):
    __slots__ = ("delivery_id", "message_id", "recipient", "status", "failure_type", "failure_reason", "campaign_reason", "bounce_code", "last_reply", "rule_id", "retry_count", "accept_time", "deadline_time", "update_time", "final_time", "next_attempt_time", "seed", "epoch", "presumed", "possible_duplicate", "failure_cause", "hold_cause", "mx_host", "complaints", "requalified", "normalized_text", "resubmit_until_time", "signed_return_path", "unsubscribe_requested", "incident_id", "hold_domain")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_REASON_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    LAST_REPLY_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINAL_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRESUMED_FIELD_NUMBER: _ClassVar[int]
    POSSIBLE_DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CAUSE_FIELD_NUMBER: _ClassVar[int]
    HOLD_CAUSE_FIELD_NUMBER: _ClassVar[int]
    MX_HOST_FIELD_NUMBER: _ClassVar[int]
    COMPLAINTS_FIELD_NUMBER: _ClassVar[int]
    REQUALIFIED_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_TEXT_FIELD_NUMBER: _ClassVar[int]
    RESUBMIT_UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    SIGNED_RETURN_PATH_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBE_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    HOLD_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    message_id: str
    recipient: str
    status: LogStatus
    failure_type: _qualification_pb2.FailureType
    failure_reason: _qualification_pb2.FailureReason
    campaign_reason: int
    bounce_code: _qualification_pb2.BounceCode
    last_reply: _smtp_reply_pb2.SmtpReply
    rule_id: str
    retry_count: int
    accept_time: _timestamp_pb2.Timestamp
    deadline_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    final_time: _timestamp_pb2.Timestamp
    next_attempt_time: _timestamp_pb2.Timestamp
    seed: bool
    epoch: int
    presumed: bool
    possible_duplicate: bool
    failure_cause: _outcome_pb2.FailureCause
    hold_cause: _outcome_pb2.HoldCause
    mx_host: str
    complaints: int
    requalified: bool
    normalized_text: str
    resubmit_until_time: _timestamp_pb2.Timestamp
    signed_return_path: bool
    unsubscribe_requested: bool
    incident_id: str
    hold_domain: str
    def __init__(self, delivery_id: _Optional[str] = ..., message_id: _Optional[str] = ..., recipient: _Optional[str] = ..., status: _Optional[_Union[LogStatus, str]] = ..., failure_type: _Optional[_Union[_qualification_pb2.FailureType, str]] = ..., failure_reason: _Optional[_Union[_qualification_pb2.FailureReason, str]] = ..., campaign_reason: _Optional[int] = ..., bounce_code: _Optional[_Union[_qualification_pb2.BounceCode, str]] = ..., last_reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., rule_id: _Optional[str] = ..., retry_count: _Optional[int] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., final_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seed: _Optional[bool] = ..., epoch: _Optional[int] = ..., presumed: _Optional[bool] = ..., possible_duplicate: _Optional[bool] = ..., failure_cause: _Optional[_Union[_outcome_pb2.FailureCause, str]] = ..., hold_cause: _Optional[_Union[_outcome_pb2.HoldCause, str]] = ..., mx_host: _Optional[str] = ..., complaints: _Optional[int] = ..., requalified: _Optional[bool] = ..., normalized_text: _Optional[str] = ..., resubmit_until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., signed_return_path: _Optional[bool] = ..., unsubscribe_requested: _Optional[bool] = ..., incident_id: _Optional[str] = ..., hold_domain: _Optional[str] = ...) -> None: ...

class LogEvent(_message.Message):
    __slots__ = ("cursor", "position", "outcome", "status_before", "status_after", "effect", "delivery_sent", "delivery_to_deliver")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STATUS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STATUS_AFTER_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_SENT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_TO_DELIVER_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    position: int
    outcome: _outcome_pb2.Outcome
    status_before: LogStatus
    status_after: LogStatus
    effect: LogEffect
    delivery_sent: int
    delivery_to_deliver: int
    def __init__(self, cursor: _Optional[str] = ..., position: _Optional[int] = ..., outcome: _Optional[_Union[_outcome_pb2.Outcome, _Mapping]] = ..., status_before: _Optional[_Union[LogStatus, str]] = ..., status_after: _Optional[_Union[LogStatus, str]] = ..., effect: _Optional[_Union[LogEffect, str]] = ..., delivery_sent: _Optional[int] = ..., delivery_to_deliver: _Optional[int] = ...) -> None: ...
