"""Contents as they lie in the store: compressed, and checked when they are read.

The messages of a delivery differ little. Once a delivery is large enough to be worth it, its messages are
compressed against its first one: personalised HTML of 10 KB then takes 250 to 700 octets, 9 us each
(measured; without a dictionary about 3,000).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import zstandard

# A delivery that queues less than this has no dictionary: it would be most of what is stored.
_WORTH_BYTES = 64 * 1024
# A longer dictionary costs more to prepare than it saves: what repeats is found in its beginning.
_LONGEST_DICTIONARY = 112 * 1024
_LEVEL = 3
_DELIVERIES, MOST_DICTIONARIES = 1_000, 256

NO_DICTIONARY = b""


class BodyError(Exception):
    """A content that cannot be read back: damaged, or its dictionary is gone."""


class Packed(NamedTuple):
    """A compressed content and the name of its dictionary (16 octets, or none)."""

    blob: bytes
    dictionary: bytes


class _Dictionary:
    """A first message, prepared for both directions."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        raw = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        raw.precompute_compress(level=_LEVEL)
        self._compressor = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=raw, write_checksum=True, write_dict_id=False
        )
        self._decompressor = zstandard.ZstdDecompressor(dict_data=raw)
        self.compress = self._compressor.compress
        self.decompress = self._decompressor.decompress


@dataclass
class _Delivery:
    """What a delivery has queued through this process."""

    first: bytes = b""
    queued_bytes: int = 0
    dictionary: bytes = NO_DICTIONARY


class Bodies:
    """Compresses and reads back. Not thread-safe."""

    def __init__(self) -> None:
        self._plain_compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._plain_decompressor = zstandard.ZstdDecompressor()
        self._deliveries: OrderedDict[tuple[str, str], _Delivery] = OrderedDict()
        self._dictionaries: OrderedDict[bytes, _Dictionary] = OrderedDict()

    def pack(self, tenant: str, delivery_id: str, content: bytes) -> Packed:
        """Compress a content, against the delivery's first one where that is worth it."""
        delivery = self._delivery((tenant, delivery_id))
        if not delivery.first:
            delivery.first = content[:_LONGEST_DICTIONARY]
        delivery.queued_bytes += len(content)
        if not delivery.dictionary and delivery.queued_bytes > _WORTH_BYTES + len(content):
            delivery.dictionary = self.learn(delivery.first)
        if not delivery.dictionary:
            return Packed(self._plain_compressor.compress(content), NO_DICTIONARY)
        if delivery.dictionary not in self._dictionaries:
            self.learn(delivery.first)
        dictionary = self._used(delivery.dictionary)
        return Packed(dictionary.compress(content), delivery.dictionary)

    def unpack(self, blob: bytes, dictionary: bytes) -> bytes:
        """Give a content back. Raises BodyError when it is not what was packed (XXH64 in the frame)."""
        try:
            if not dictionary:
                return self._plain_decompressor.decompress(blob)
            return self._used(dictionary).decompress(blob)
        except KeyError:
            raise BodyError(f"dictionary {dictionary.hex()} is not known") from None
        except zstandard.ZstdError as error:
            raise BodyError(str(error)) from None

    def knows(self, dictionary: bytes) -> bool:
        """Whether a dictionary is at hand."""
        return dictionary in self._dictionaries

    def learn(self, content: bytes) -> bytes:
        """Take a dictionary in; gives its name, which is its hash."""
        name = hashlib.blake2b(content, digest_size=16).digest()
        if name not in self._dictionaries:
            self._dictionaries[name] = _Dictionary(content)
            if len(self._dictionaries) > MOST_DICTIONARIES:
                self._dictionaries.popitem(last=False)
        return name

    def content_of(self, dictionary: bytes) -> bytes:
        """Give the content of a dictionary that is at hand."""
        return self._dictionaries[dictionary].content

    def _used(self, name: bytes) -> _Dictionary:
        # Those go that were not used for longest: a batch still needs what its first messages were packed
        # against when its last one is.
        self._dictionaries.move_to_end(name)
        return self._dictionaries[name]

    def _delivery(self, name: tuple[str, str]) -> _Delivery:
        delivery = self._deliveries.get(name)
        if delivery is None:
            delivery = self._deliveries[name] = _Delivery()
            if len(self._deliveries) > _DELIVERIES:
                self._deliveries.popitem(last=False)
        self._deliveries.move_to_end(name)
        return delivery
