"""Which text, and by which reader."""

from typing import Annotated

from pydantic import Field

from probes.config.setting import Settings

Name = Annotated[str, Field(pattern="^[a-z0-9_-]+$")]


class CorpusConfig(Settings):
    """A corpus on disk, or one that a reader makes."""

    reader: str = "conllu"
    """`conllu`, `table` (TSV, CSV, JSON lines, Parquet), `edges` (edge probing), `pairs` (minimal pairs), `columns`,
    `questions` (label and text), `senteval`, `plain`, `grammar` and `planted` (built in), or a reader of an installed
    package (entry point `probes.readers`)."""
    path: str | None = None
    """File, folder or pattern; relative paths are looked for here and under PROBES_DATA."""
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further arguments of the reader."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Splits under other names: `{dev: test}` where the published dev is what is scored."""
    dev_share: float | None = Field(default=None, gt=0, lt=1)
    """Share of train that becomes dev, cut by group, where a corpus has none."""
    group_phrases: bool = False
    """Group a text with a longer one that contains it, as in SST-2, before dev is cut."""
    split_seed: int = Field(default=0, ge=0)
    """Seed of that cut."""
    beside: dict[Name, "CorpusConfig"] = Field(default_factory=dict)
    """Other corpora by a name of one's own, such as another treebank: the test split of each is scored by the same
    probes as split `test-NAME`; nothing is chosen or fitted on it."""
