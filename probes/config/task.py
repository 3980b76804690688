"""Which question, and which controls stand beside it."""

from pydantic import Field

from probes.config.setting import Settings


class TaskConfig(Settings):
    """A task with its controls."""

    name: str
    """Name of the task, such as `pos`."""
    controls: tuple[str, ...] = ()
    """Names of control tasks, such as `word_type` (Hewitt and Liang 2019)."""
    draws: int = Field(default=5, ge=1)
    """Random labellings for each control."""
    train_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training examples, in whole sentences drawn by `seed`: a smaller share lies inside a larger one. Of
    curves; method `sweep` has an axis of its own."""
