"""Layer-wise probing of frozen BERT-like encoders.

>>> import probes
>>> data = probes.read_corpus("grammar")
>>> len(data["train"]) > 0
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probes.cache import Cache, adopt, open_cache
    from probes.config import EncoderConfig, Experiment, FitConfig, read_experiment
    from probes.corpus import cut_dev, derive, from_lists, read_corpus
    from probes.encoder.load import load_encoder
    from probes.errors import ProbesError
    from probes.fit.classifier import LayerProbe, LayerwiseClassifier
    from probes.study.analyses import Analyses, read_analyses
    from probes.study.curve import Curve
    from probes.study.curves import Curves, read_results
    from probes.study.face import analyse, encode, probe, run
    from probes.types import Corpus, Pair, Sentence, Span, Tree

# Public names and where they live; a module is imported when one of its names is first used.
_HOMES = {
    "Analyses": "probes.study.analyses",
    "Cache": "probes.cache",
    "Corpus": "probes.types",
    "Curve": "probes.study.curve",
    "Curves": "probes.study.curves",
    "EncoderConfig": "probes.config",
    "Experiment": "probes.config",
    "FitConfig": "probes.config",
    "LayerProbe": "probes.fit.classifier",
    "LayerwiseClassifier": "probes.fit.classifier",
    "Pair": "probes.types",
    "ProbesError": "probes.errors",
    "Sentence": "probes.types",
    "Span": "probes.types",
    "Tree": "probes.types",
    "adopt": "probes.cache",
    "analyse": "probes.study.face",
    "cut_dev": "probes.corpus",
    "derive": "probes.corpus",
    "encode": "probes.study.face",
    "from_lists": "probes.corpus",
    "load_encoder": "probes.encoder.load",
    "open_cache": "probes.cache",
    "probe": "probes.study.face",
    "read_corpus": "probes.corpus",
    "read_experiment": "probes.config",
    "read_analyses": "probes.study.analyses",
    "read_results": "probes.study.curves",
    "run": "probes.study.face",
}

__all__ = [
    "Analyses",
    "Cache",
    "Corpus",
    "Curve",
    "Curves",
    "EncoderConfig",
    "Experiment",
    "FitConfig",
    "LayerProbe",
    "LayerwiseClassifier",
    "Pair",
    "ProbesError",
    "Sentence",
    "Span",
    "Tree",
    "adopt",
    "analyse",
    "cut_dev",
    "derive",
    "encode",
    "from_lists",
    "load_encoder",
    "open_cache",
    "probe",
    "read_analyses",
    "read_corpus",
    "read_experiment",
    "read_results",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'probes' has no attribute {name!r}")
