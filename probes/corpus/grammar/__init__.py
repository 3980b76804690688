"""The built-in corpus: a small grammar of English whose annotation is exact because it made the sentences."""

from probes.corpus.grammar.corpus import generate

__all__ = ["generate"]
