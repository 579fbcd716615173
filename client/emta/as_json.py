"""The contract's messages as plain data for JSON, as people expect it who read it with `jq`.

Fields are named as in the contract. Where protobuf's own JSON differs: numbers of 64 bits are numbers, and
a number, text, yes-or-no or list is there also where it is 0, empty or false. Left out is only what is not
known: a time, a percentage, a part, an enum that is UNSPECIFIED.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

# RFC 8259 section 6: beyond it readers round. None of our counts comes near; one that did stays a string.
_LARGEST_NUMBER = 2**53 - 1

_64_BITS = frozenset({FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64})


def as_dict(message: Message) -> dict[str, Any]:
    """Give a message as plain data, its fields in the contract's order."""
    fields = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _plain(message.DESCRIPTOR, fields)


def _plain(kind: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """`kind`: the message's descriptor."""
    # An Any says itself what it holds; the contract's maps hold strings.
    if "@type" in fields or kind.GetOptions().map_entry:
        return fields
    return {
        field.name: _value(field, fields[field.name])
        for field in kind.fields
        if field.name in fields and not _says_nothing(field, fields[field.name])
    }


def _says_nothing(field: FieldDescriptor, value: Any) -> bool:
    return field.enum_type is not None and value == field.enum_type.values_by_number[0].name


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated and isinstance(value, list):
        return [_one(field, each) for each in value]
    return _one(field, value)


def _one(field: FieldDescriptor, value: Any) -> Any:
    if field.cpp_type in _64_BITS:
        number = int(value)
        return number if abs(number) <= _LARGEST_NUMBER else value
    return _plain(field.message_type, value) if isinstance(value, dict) else value
