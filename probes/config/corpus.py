"""Which text, and by which reader."""

from pydantic import Field

from probes.config.setting import Settings


class CorpusConfig(Settings):
    """A corpus on disk, or one that a reader makes."""

    reader: str = "conllu"
    """`conllu`, `grammar` (built in), or a reader of an installed package (entry point `probes.readers`)."""
    path: str | None = None
    """File, folder or pattern; relative paths are looked for here and under PROBES_DATA."""
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further arguments of the reader."""
