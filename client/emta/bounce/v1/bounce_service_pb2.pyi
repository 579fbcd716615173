from emta.bounce.v1 import acceptance_service_pb2 as _acceptance_service_pb2
from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from emta.bounce.v1 import smtp_reply_pb2 as _smtp_reply_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QualifyRepliesRequest(_message.Message):
    __slots__ = ("items", "acceptances", "uncounted")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCES_FIELD_NUMBER: _ClassVar[int]
    UNCOUNTED_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[QualifyRepliesItem]
    acceptances: _containers.RepeatedCompositeFieldContainer[_acceptance_service_pb2.SiteAcceptances]
    uncounted: bool
    def __init__(self, items: _Optional[_Iterable[_Union[QualifyRepliesItem, _Mapping]]] = ..., acceptances: _Optional[_Iterable[_Union[_acceptance_service_pb2.SiteAcceptances, _Mapping]]] = ..., uncounted: _Optional[bool] = ...) -> None: ...

class QualifyRepliesItem(_message.Message):
    __slots__ = ("reply", "traceparent", "site", "recipient_key")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_KEY_FIELD_NUMBER: _ClassVar[int]
    reply: _smtp_reply_pb2.SmtpReply
    traceparent: str
    site: str
    recipient_key: int
    def __init__(self, reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., traceparent: _Optional[str] = ..., site: _Optional[str] = ..., recipient_key: _Optional[int] = ...) -> None: ...

class QualifyRepliesResponse(_message.Message):
    __slots__ = ("results", "rules_version")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[QualifyRepliesResult]
    rules_version: str
    def __init__(self, results: _Optional[_Iterable[_Union[QualifyRepliesResult, _Mapping]]] = ..., rules_version: _Optional[str] = ...) -> None: ...

class QualifyRepliesResult(_message.Message):
    __slots__ = ("qualification", "error")
    QUALIFICATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    qualification: _qualification_pb2.Qualification
    error: _status_pb2.Status
    def __init__(self, qualification: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...
