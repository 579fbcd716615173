import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESSAGE_CLASS_UNSPECIFIED: _ClassVar[MessageClass]
    MESSAGE_CLASS_MARKETING: _ClassVar[MessageClass]
    MESSAGE_CLASS_TRANSACTIONAL: _ClassVar[MessageClass]

class ReturnPathMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETURN_PATH_MODE_UNSPECIFIED: _ClassVar[ReturnPathMode]
    RETURN_PATH_MODE_KEEP: _ClassVar[ReturnPathMode]
    RETURN_PATH_MODE_VERP: _ClassVar[ReturnPathMode]

class ContentChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTENT_CHANGE_UNSPECIFIED: _ClassVar[ContentChange]
    CONTENT_CHANGE_LINE_ENDS: _ClassVar[ContentChange]
    CONTENT_CHANGE_QUOTED_PRINTABLE: _ClassVar[ContentChange]
    CONTENT_CHANGE_BASE64: _ClassVar[ContentChange]
    CONTENT_CHANGE_BCC_REMOVED: _ClassVar[ContentChange]
    CONTENT_CHANGE_INTERNAL_HEADER_REMOVED: _ClassVar[ContentChange]
    CONTENT_CHANGE_DATE_ADDED: _ClassVar[ContentChange]
    CONTENT_CHANGE_MESSAGE_ID_ADDED: _ClassVar[ContentChange]

class Notice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_UNSPECIFIED: _ClassVar[Notice]
    NOTICE_RETRY_SETTINGS_IGNORED: _ClassVar[Notice]
    NOTICE_TRACEPARENT_IGNORED: _ClassVar[Notice]
    NOTICE_POOL_IGNORED: _ClassVar[Notice]
MESSAGE_CLASS_UNSPECIFIED: MessageClass
MESSAGE_CLASS_MARKETING: MessageClass
MESSAGE_CLASS_TRANSACTIONAL: MessageClass
RETURN_PATH_MODE_UNSPECIFIED: ReturnPathMode
RETURN_PATH_MODE_KEEP: ReturnPathMode
RETURN_PATH_MODE_VERP: ReturnPathMode
CONTENT_CHANGE_UNSPECIFIED: ContentChange
CONTENT_CHANGE_LINE_ENDS: ContentChange
CONTENT_CHANGE_QUOTED_PRINTABLE: ContentChange
CONTENT_CHANGE_BASE64: ContentChange
CONTENT_CHANGE_BCC_REMOVED: ContentChange
CONTENT_CHANGE_INTERNAL_HEADER_REMOVED: ContentChange
CONTENT_CHANGE_DATE_ADDED: ContentChange
CONTENT_CHANGE_MESSAGE_ID_ADDED: ContentChange
NOTICE_UNSPECIFIED: Notice
NOTICE_RETRY_SETTINGS_IGNORED: Notice
NOTICE_TRACEPARENT_IGNORED: Notice
NOTICE_POOL_IGNORED: Notice

class Message(_message.Message):
    __slots__ = ("message_id", "delivery_id", "mail_from", "rcpt_to", "content", "validity", "limit_time", "message_class", "pool", "not_before_time", "seed", "archive_to", "return_path", "dkim_identity", "metadata", "traceparent", "retry_settings", "epoch")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MAIL_FROM_FIELD_NUMBER: _ClassVar[int]
    RCPT_TO_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_CLASS_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TO_FIELD_NUMBER: _ClassVar[int]
    RETURN_PATH_FIELD_NUMBER: _ClassVar[int]
    DKIM_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    RETRY_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    delivery_id: str
    mail_from: str
    rcpt_to: str
    content: bytes
    validity: _duration_pb2.Duration
    limit_time: _timestamp_pb2.Timestamp
    message_class: MessageClass
    pool: str
    not_before_time: _timestamp_pb2.Timestamp
    seed: bool
    archive_to: str
    return_path: ReturnPath
    dkim_identity: DkimIdentity
    metadata: _containers.ScalarMap[str, str]
    traceparent: str
    retry_settings: RetrySettings
    epoch: int
    def __init__(self, message_id: _Optional[str] = ..., delivery_id: _Optional[str] = ..., mail_from: _Optional[str] = ..., rcpt_to: _Optional[str] = ..., content: _Optional[bytes] = ..., validity: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message_class: _Optional[_Union[MessageClass, str]] = ..., pool: _Optional[str] = ..., not_before_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seed: _Optional[bool] = ..., archive_to: _Optional[str] = ..., return_path: _Optional[_Union[ReturnPath, _Mapping]] = ..., dkim_identity: _Optional[_Union[DkimIdentity, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., traceparent: _Optional[str] = ..., retry_settings: _Optional[_Union[RetrySettings, _Mapping]] = ..., epoch: _Optional[int] = ...) -> None: ...

class ReturnPath(_message.Message):
    __slots__ = ("mode", "domain")
    MODE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    mode: ReturnPathMode
    domain: str
    def __init__(self, mode: _Optional[_Union[ReturnPathMode, str]] = ..., domain: _Optional[str] = ...) -> None: ...

class DkimIdentity(_message.Message):
    __slots__ = ("domain", "selector")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    domain: str
    selector: str
    def __init__(self, domain: _Optional[str] = ..., selector: _Optional[str] = ...) -> None: ...

class RetrySettings(_message.Message):
    __slots__ = ("count", "period")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    count: int
    period: _duration_pb2.Duration
    def __init__(self, count: _Optional[int] = ..., period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Acceptance(_message.Message):
    __slots__ = ("accept_time", "deadline_time", "clamped", "content_changes", "notices")
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    CLAMPED_FIELD_NUMBER: _ClassVar[int]
    CONTENT_CHANGES_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    accept_time: _timestamp_pb2.Timestamp
    deadline_time: _timestamp_pb2.Timestamp
    clamped: bool
    content_changes: _containers.RepeatedScalarFieldContainer[ContentChange]
    notices: _containers.RepeatedScalarFieldContainer[Notice]
    def __init__(self, accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., clamped: _Optional[bool] = ..., content_changes: _Optional[_Iterable[_Union[ContentChange, str]]] = ..., notices: _Optional[_Iterable[_Union[Notice, str]]] = ...) -> None: ...
