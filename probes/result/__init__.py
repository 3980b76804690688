"""What is kept of a curve: its JSON, the outcome of every test example, and the frame over many."""

from probes.result.analysis import Analysis, Finding, Panel, read_analysis, write_analysis
from probes.result.frame import findings_frame, to_frame
from probes.result.outcome import Outcomes, load_outcomes, save_outcomes
from probes.result.record import (
    COLUMNS,
    Confusion,
    EpochRow,
    Fingerprints,
    GridRow,
    ProbeRow,
    Record,
    Score,
    read_record,
    write_record,
)

__all__ = [
    "COLUMNS",
    "Analysis",
    "Confusion",
    "EpochRow",
    "Finding",
    "Fingerprints",
    "GridRow",
    "Outcomes",
    "Panel",
    "ProbeRow",
    "Record",
    "Score",
    "findings_frame",
    "load_outcomes",
    "read_analysis",
    "read_record",
    "save_outcomes",
    "to_frame",
    "write_analysis",
    "write_record",
]
