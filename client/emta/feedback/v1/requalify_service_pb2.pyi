import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from emta.bounce.v1 import smtp_reply_pb2 as _smtp_reply_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OutcomeFilter(_message.Message):
    __slots__ = ("from_time", "to_time", "domains", "mx_hosts", "text", "bounce_codes", "rule_ids", "delivery_id")
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    DOMAINS_FIELD_NUMBER: _ClassVar[int]
    MX_HOSTS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODES_FIELD_NUMBER: _ClassVar[int]
    RULE_IDS_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    domains: _containers.RepeatedScalarFieldContainer[str]
    mx_hosts: _containers.RepeatedScalarFieldContainer[str]
    text: str
    bounce_codes: _containers.RepeatedScalarFieldContainer[_qualification_pb2.BounceCode]
    rule_ids: _containers.RepeatedScalarFieldContainer[str]
    delivery_id: str
    def __init__(self, from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., domains: _Optional[_Iterable[str]] = ..., mx_hosts: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., bounce_codes: _Optional[_Iterable[_Union[_qualification_pb2.BounceCode, str]]] = ..., rule_ids: _Optional[_Iterable[str]] = ..., delivery_id: _Optional[str] = ...) -> None: ...

class RequalifyOutcomesRequest(_message.Message):
    __slots__ = ("filter", "dry_run", "actor", "comment", "meaning", "allow_resubmit", "all_matches", "resume_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    ALLOW_RESUBMIT_FIELD_NUMBER: _ClassVar[int]
    ALL_MATCHES_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: OutcomeFilter
    dry_run: bool
    actor: str
    comment: str
    meaning: _qualification_pb2.Qualification
    allow_resubmit: bool
    all_matches: bool
    resume_token: str
    def __init__(self, filter: _Optional[_Union[OutcomeFilter, _Mapping]] = ..., dry_run: _Optional[bool] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ..., meaning: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., allow_resubmit: _Optional[bool] = ..., all_matches: _Optional[bool] = ..., resume_token: _Optional[str] = ...) -> None: ...

class RequalifyOutcomesResponse(_message.Message):
    __slots__ = ("requalification_id", "resume_token", "examined", "matched", "corrected", "corrected_before", "resubmittable", "groups", "matches", "reached_time")
    REQUALIFICATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXAMINED_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    RESUBMITTABLE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    REACHED_TIME_FIELD_NUMBER: _ClassVar[int]
    requalification_id: str
    resume_token: str
    examined: int
    matched: int
    corrected: int
    corrected_before: int
    resubmittable: int
    groups: _containers.RepeatedCompositeFieldContainer[MatchedGroup]
    matches: _containers.RepeatedCompositeFieldContainer[MatchedOutcome]
    reached_time: _timestamp_pb2.Timestamp
    def __init__(self, requalification_id: _Optional[str] = ..., resume_token: _Optional[str] = ..., examined: _Optional[int] = ..., matched: _Optional[int] = ..., corrected: _Optional[int] = ..., corrected_before: _Optional[int] = ..., resubmittable: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[MatchedGroup, _Mapping]]] = ..., matches: _Optional[_Iterable[_Union[MatchedOutcome, _Mapping]]] = ..., reached_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MatchedGroup(_message.Message):
    __slots__ = ("delivery_id", "recipient_domain", "normalized_text", "failure_type", "failure_reason", "bounce_code", "count")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_TEXT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    recipient_domain: str
    normalized_text: str
    failure_type: _qualification_pb2.FailureType
    failure_reason: _qualification_pb2.FailureReason
    bounce_code: _qualification_pb2.BounceCode
    count: int
    def __init__(self, delivery_id: _Optional[str] = ..., recipient_domain: _Optional[str] = ..., normalized_text: _Optional[str] = ..., failure_type: _Optional[_Union[_qualification_pb2.FailureType, str]] = ..., failure_reason: _Optional[_Union[_qualification_pb2.FailureReason, str]] = ..., bounce_code: _Optional[_Union[_qualification_pb2.BounceCode, str]] = ..., count: _Optional[int] = ...) -> None: ...

class MatchedOutcome(_message.Message):
    __slots__ = ("position", "delivery_id", "message_id", "recipient", "failure_time", "reply", "was", "resubmittable")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    RESUBMITTABLE_FIELD_NUMBER: _ClassVar[int]
    position: int
    delivery_id: str
    message_id: str
    recipient: str
    failure_time: _timestamp_pb2.Timestamp
    reply: _smtp_reply_pb2.SmtpReply
    was: _qualification_pb2.Qualification
    resubmittable: bool
    def __init__(self, position: _Optional[int] = ..., delivery_id: _Optional[str] = ..., message_id: _Optional[str] = ..., recipient: _Optional[str] = ..., failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., was: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., resubmittable: _Optional[bool] = ...) -> None: ...

class Requalification(_message.Message):
    __slots__ = ("requalification_id", "start_time", "end_time", "actor", "comment", "filter", "meaning", "allow_resubmit", "examined", "corrected", "resubmittable")
    REQUALIFICATION_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    ALLOW_RESUBMIT_FIELD_NUMBER: _ClassVar[int]
    EXAMINED_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_FIELD_NUMBER: _ClassVar[int]
    RESUBMITTABLE_FIELD_NUMBER: _ClassVar[int]
    requalification_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    actor: str
    comment: str
    filter: OutcomeFilter
    meaning: _qualification_pb2.Qualification
    allow_resubmit: bool
    examined: int
    corrected: int
    resubmittable: int
    def __init__(self, requalification_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ..., filter: _Optional[_Union[OutcomeFilter, _Mapping]] = ..., meaning: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., allow_resubmit: _Optional[bool] = ..., examined: _Optional[int] = ..., corrected: _Optional[int] = ..., resubmittable: _Optional[int] = ...) -> None: ...

class ListRequalificationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRequalificationsResponse(_message.Message):
    __slots__ = ("requalifications", "next_page_token")
    REQUALIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    requalifications: _containers.RepeatedCompositeFieldContainer[Requalification]
    next_page_token: str
    def __init__(self, requalifications: _Optional[_Iterable[_Union[Requalification, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
