import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QualificationStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUALIFICATION_STATUS_UNSPECIFIED: _ClassVar[QualificationStatus]
    QUALIFICATION_STATUS_TO_QUALIFY: _ClassVar[QualificationStatus]
    QUALIFICATION_STATUS_KEEP: _ClassVar[QualificationStatus]
    QUALIFICATION_STATUS_IGNORE: _ClassVar[QualificationStatus]
QUALIFICATION_STATUS_UNSPECIFIED: QualificationStatus
QUALIFICATION_STATUS_TO_QUALIFY: QualificationStatus
QUALIFICATION_STATUS_KEEP: QualificationStatus
QUALIFICATION_STATUS_IGNORE: QualificationStatus

class QualificationRow(_message.Message):
    __slots__ = ("normalized_md5", "normalized_text", "first_text", "create_time", "last_time", "occurrences", "final_occurrences", "cost", "code", "enhanced_code", "sites", "by_rules", "in_force", "status", "edit", "modify_time", "actor", "comment")
    NORMALIZED_MD5_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_TEXT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TEXT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    FINAL_OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    BY_RULES_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    MODIFY_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    normalized_md5: str
    normalized_text: str
    first_text: str
    create_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    occurrences: int
    final_occurrences: int
    cost: float
    code: int
    enhanced_code: str
    sites: _containers.RepeatedCompositeFieldContainer[SiteCount]
    by_rules: _qualification_pb2.Qualification
    in_force: _qualification_pb2.Qualification
    status: QualificationStatus
    edit: QualificationEdit
    modify_time: _timestamp_pb2.Timestamp
    actor: str
    comment: str
    def __init__(self, normalized_md5: _Optional[str] = ..., normalized_text: _Optional[str] = ..., first_text: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., occurrences: _Optional[int] = ..., final_occurrences: _Optional[int] = ..., cost: _Optional[float] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., sites: _Optional[_Iterable[_Union[SiteCount, _Mapping]]] = ..., by_rules: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., in_force: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., status: _Optional[_Union[QualificationStatus, str]] = ..., edit: _Optional[_Union[QualificationEdit, _Mapping]] = ..., modify_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class SiteCount(_message.Message):
    __slots__ = ("site", "occurrences")
    SITE_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    site: str
    occurrences: int
    def __init__(self, site: _Optional[str] = ..., occurrences: _Optional[int] = ...) -> None: ...

class QualificationEdit(_message.Message):
    __slots__ = ("type", "reason", "bounce_code", "disposition")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    type: _qualification_pb2.FailureType
    reason: _qualification_pb2.FailureReason
    bounce_code: _qualification_pb2.BounceCode
    disposition: _qualification_pb2.Disposition
    def __init__(self, type: _Optional[_Union[_qualification_pb2.FailureType, str]] = ..., reason: _Optional[_Union[_qualification_pb2.FailureReason, str]] = ..., bounce_code: _Optional[_Union[_qualification_pb2.BounceCode, str]] = ..., disposition: _Optional[_Union[_qualification_pb2.Disposition, str]] = ...) -> None: ...

class QualificationCluster(_message.Message):
    __slots__ = ("template", "normalized_md5s", "normalized_text", "occurrences", "final_occurrences", "cost", "sites", "last_time")
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_MD5S_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_TEXT_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    FINAL_OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    template: str
    normalized_md5s: _containers.RepeatedScalarFieldContainer[str]
    normalized_text: str
    occurrences: int
    final_occurrences: int
    cost: float
    sites: _containers.RepeatedCompositeFieldContainer[SiteCount]
    last_time: _timestamp_pb2.Timestamp
    def __init__(self, template: _Optional[str] = ..., normalized_md5s: _Optional[_Iterable[str]] = ..., normalized_text: _Optional[str] = ..., occurrences: _Optional[int] = ..., final_occurrences: _Optional[int] = ..., cost: _Optional[float] = ..., sites: _Optional[_Iterable[_Union[SiteCount, _Mapping]]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListQualificationsRequest(_message.Message):
    __slots__ = ("status", "text", "site", "min_occurrences", "page_size", "page_token")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    MIN_OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    status: QualificationStatus
    text: str
    site: str
    min_occurrences: int
    page_size: int
    page_token: str
    def __init__(self, status: _Optional[_Union[QualificationStatus, str]] = ..., text: _Optional[str] = ..., site: _Optional[str] = ..., min_occurrences: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListQualificationsResponse(_message.Message):
    __slots__ = ("rows", "next_page_token")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[QualificationRow]
    next_page_token: str
    def __init__(self, rows: _Optional[_Iterable[_Union[QualificationRow, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListQualificationClustersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListQualificationClustersResponse(_message.Message):
    __slots__ = ("clusters", "rows_left")
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    ROWS_LEFT_FIELD_NUMBER: _ClassVar[int]
    clusters: _containers.RepeatedCompositeFieldContainer[QualificationCluster]
    rows_left: int
    def __init__(self, clusters: _Optional[_Iterable[_Union[QualificationCluster, _Mapping]]] = ..., rows_left: _Optional[int] = ...) -> None: ...

class GetQualificationRequest(_message.Message):
    __slots__ = ("normalized_md5",)
    NORMALIZED_MD5_FIELD_NUMBER: _ClassVar[int]
    normalized_md5: str
    def __init__(self, normalized_md5: _Optional[str] = ...) -> None: ...

class GetQualificationResponse(_message.Message):
    __slots__ = ("row",)
    ROW_FIELD_NUMBER: _ClassVar[int]
    row: QualificationRow
    def __init__(self, row: _Optional[_Union[QualificationRow, _Mapping]] = ...) -> None: ...

class SetQualificationRequest(_message.Message):
    __slots__ = ("normalized_md5s", "status", "edit", "reset_occurrences", "actor", "comment", "seen_time")
    NORMALIZED_MD5S_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    RESET_OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    normalized_md5s: _containers.RepeatedScalarFieldContainer[str]
    status: QualificationStatus
    edit: QualificationEdit
    reset_occurrences: bool
    actor: str
    comment: str
    seen_time: _timestamp_pb2.Timestamp
    def __init__(self, normalized_md5s: _Optional[_Iterable[str]] = ..., status: _Optional[_Union[QualificationStatus, str]] = ..., edit: _Optional[_Union[QualificationEdit, _Mapping]] = ..., reset_occurrences: _Optional[bool] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ..., seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetQualificationResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[QualificationRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[QualificationRow, _Mapping]]] = ...) -> None: ...
