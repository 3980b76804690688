"""Questions asked of a cached corpus: labels for rows, and the controls that stand beside them."""

from probes.task.build import TASKS, build_task, derivation_of, unit_of
from probes.task.control import CAPACITY, CONTROLS, control_task, shares_rows
from probes.task.portion import keep_share

__all__ = [
    "CAPACITY",
    "CONTROLS",
    "TASKS",
    "build_task",
    "control_task",
    "derivation_of",
    "keep_share",
    "shares_rows",
    "unit_of",
]
