"""Our view of each frame against another reader's, column by column. What differs has to be excused by an exception of
dts/differential/exceptions.py; where the class differs for a good reason, the other columns of that reader say nothing.
"""

from collections import Counter
from dataclasses import dataclass, field

from differential.exceptions import DEFECTS, EXCEPTIONS
from differential.view import COLUMNS, ND_CLASSES


@dataclass(slots=True)
class Case:
    """One frame, for an exception to look at: ours, the reader's and the other reader's view."""

    data: bytes
    wire: int
    ours: object
    theirs: object
    other: object
    column: str


@dataclass
class Tally:
    compared: Counter = field(default_factory=Counter)  # (reader, what): how many
    excused: Counter = field(default_factory=Counter)  # (reader, name of the exception): how many
    alone: Counter = field(default_factory=Counter)  # column: frames where no reader confirms ours
    wrong: list = field(default_factory=list)  # one text each


def count(tally, reader, view):
    tally.compared[reader, "frames"] += 1
    tally.compared[reader, "verdicts"] += view.checksum != "skipped"
    tally.compared[reader, "option lists"] += view.cls in ND_CLASSES
    tally.compared[reader, "options"] += len(view.options)
    tally.compared[reader, "reports"] += view.cls == "mld2_report"
    tally.compared[reader, "records"] += len(view.records)


def compare_frame(tally, reader, where, case):
    """Columns that the reader confirms."""
    confirmed = set()
    for column in COLUMNS:
        case.column = column
        if case.ours.column(column) == case.theirs.column(column):
            confirmed.add(column)
            continue
        name = next((e.name for e in EXCEPTIONS + DEFECTS if reader in e.readers and column in e.columns and e.applies(case)), None)
        if name is not None:
            tally.excused[reader, name] += 1
        else:
            tally.wrong.append((where, reader, column, case.ours, case.theirs, case.data))
        if column == "class":
            return confirmed
    return confirmed


def compare(frames, origins, ours, readers):
    """readers: {"tshark": views, "scapy": views}, None for a frame that a reader was not asked about; origins: what to call a
    frame.
    """
    tally = Tally()
    (first, first_views), (second, second_views) = readers.items()
    for (data, wire), where, d, a, b in zip(frames, origins, ours, first_views, second_views, strict=True):
        confirmed = set()
        for reader, theirs, other in ((first, a, b), (second, b, a)):
            if theirs is None:
                continue
            count(tally, reader, theirs)
            confirmed |= compare_frame(tally, reader, where, Case(data, wire, d, theirs, other, ""))
        tally.alone.update(set(COLUMNS) - confirmed)
    return tally
