"""Texts that differ in a few words which masking missed, put together: names, hosts, odd identifiers.

Two texts belong together when codes are the same, when all words that the rules' samples use are the same
("full" and "disabled" make two replies, "anna" and "ben" do not), and when most of all words are. The same
rows give the same clusters, whatever was asked before. Linear in the number of rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from emta.bounce.v1.qualifications_service_pb2 import QualificationCluster, QualificationRow
from services.bounce.catalogue.catalogue import Catalogue, sample_reply
from services.bounce.reply.masking import masked
from services.bounce.rows.row import ranked

# Share of common words among all words of two texts (Jaccard). At 0.5 two of eight words may differ.
_ALIKE = 0.5
# Texts without a word that the rules know are compared with so many clusters, so that a flood of them takes
# no time to speak of.
_MOST_COMPARED = 50
_SITES = 8
_OMITTED = "..."
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass
class _Cluster:
    words: frozenset[str]
    rows: list[QualificationRow] = field(default_factory=list)


def vocabulary(catalogue: Catalogue) -> frozenset[str]:
    """Give the words that the samples of the rules use, in lower case."""
    return frozenset(
        word
        for rule in catalogue.rules
        for sample in (*rule.samples, *rule.not_samples)
        for token in masked(sample_reply(sample).text).split()
        # What has a dot within is a host or an address on the web: whose, is not a meaning.
        if "." not in token.strip(".")
        for word in _WORD.findall(token.lower())
    )


def clustered(rows: Sequence[QualificationRow], known: frozenset[str]) -> list[QualificationCluster]:
    """Put rows together, the most costly cluster first. `known`: words that make a difference."""
    groups: dict[tuple[int, str, frozenset[str]], list[_Cluster]] = {}
    for row in sorted(rows, key=lambda row: (-row.cost, row.normalized_md5)):
        words = frozenset(row.normalized_text.lower().split())
        meant = known.intersection(_WORD.findall(row.normalized_text.lower()))
        clusters = groups.setdefault((row.code, row.enhanced_code, meant), [])
        for cluster in clusters[:_MOST_COMPARED]:
            if len(words & cluster.words) >= _ALIKE * len(words | cluster.words):
                break
        else:
            cluster = _Cluster(words)
            clusters.append(cluster)
        cluster.rows.append(row)
    found = [_shown(cluster.rows) for clusters in groups.values() for cluster in clusters]
    return sorted(found, key=lambda cluster: (-cluster.cost, cluster.normalized_md5s[0]))


def _shown(rows: Sequence[QualificationRow]) -> QualificationCluster:
    sites = Counter[str]()
    for row in rows:
        sites.update({each.site: each.occurrences for each in row.sites})
    last = max((row.last_time for row in rows), key=lambda time: time.ToMilliseconds())
    return QualificationCluster(
        template=template([row.normalized_text for row in rows]),
        normalized_md5s=[row.normalized_md5 for row in rows],
        normalized_text=rows[0].normalized_text,
        occurrences=sum(row.occurrences for row in rows),
        final_occurrences=sum(row.final_occurrences for row in rows),
        cost=sum(row.cost for row in rows),
        sites=ranked(sites)[:_SITES],
        last_time=last,
    )


def template(texts: Iterable[str]) -> str:
    """Give the words of the first text that all have, with "..." for others."""
    first, *others = (text.split() for text in texts)
    common = set(first).intersection(*others)
    shown: list[str] = []
    for word in first:
        if word in common:
            shown.append(word)
        elif shown[-1:] != [_OMITTED]:
            shown.append(_OMITTED)
    return " ".join(shown)
