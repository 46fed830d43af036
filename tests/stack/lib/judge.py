"""The verdict on a run: what the producer wrote, against what is in the output topic. Nothing here asks the worker anything."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arrival:
    """An output record, read in the order of its partition."""

    key: str
    sequence: int
    #: `topic/partition/offset` that the output says it comes from.
    source: str


@dataclass
class Verdict:
    """What was found wrong, by kind, and the duplicates."""

    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    mislabelled: list[str] = field(default_factory=list)
    #: Source positions (partition, offset) of what arrived again, once for each further arrival.
    duplicates: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.invented or self.reordered or self.mislabelled)

    def __str__(self):
        kinds = {"lost": self.lost, "invented": self.invented, "reordered": self.reordered, "mislabelled": self.mislabelled}
        words = [f"{kind} {len(found)} (first: {', '.join(found[:3])})" for kind, found in kinds.items() if found]
        return "; ".join(words or ["nothing lost, invented or reordered"]) + f"; {len(self.duplicates)} duplicates"

    def duplicates_outside(self, ranges: dict[int, range]) -> list[tuple[int, int]]:
        """Duplicates of other records than those in these ranges of source offsets, by partition."""
        return [(partition, offset) for partition, offset in self.duplicates if offset not in ranges.get(partition, range(0))]


def judge(written: dict[str, dict[int, str]], arrivals: list[Arrival]) -> Verdict:
    """`written`: per key, the source position of each sequence number, from 0 without gaps, in the order of writing.

    The first arrivals of a key must be 0, 1, 2 … in this order. What arrives again is a duplicate, wherever it stands.
    """
    verdict = Verdict()
    seen: dict[str, set[int]] = {key: set() for key in written}
    highest: dict[str, int] = {}
    for arrival in arrivals:
        name = f"{arrival.key}#{arrival.sequence}"
        position = written.get(arrival.key, {}).get(arrival.sequence)
        if position is None:
            verdict.invented.append(name)
            continue
        if position != arrival.source:
            verdict.mislabelled.append(f"{name} says {arrival.source}, was {position}")
        if arrival.sequence in seen[arrival.key]:
            partition, offset = position.split("/")[-2:]
            verdict.duplicates.append((int(partition), int(offset)))
            continue
        if arrival.sequence < highest.get(arrival.key, -1):
            verdict.reordered.append(f"{name} after #{highest[arrival.key]}")
        highest[arrival.key] = max(arrival.sequence, highest.get(arrival.key, -1))
        seen[arrival.key].add(arrival.sequence)
    for key, sequences in written.items():
        verdict.lost.extend(f"{key}#{sequence}" for sequence in sequences.keys() - seen[key])
    return verdict
