"""Methods by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from probes.config import MethodConfig, Settings, parse
from probes.errors import ConfigError, list_names
from probes.method.subject import Findings, Subject


@dataclass(frozen=True, slots=True)
class Method:
    """An analysis: its settings, and what it does with them."""

    settings: type[Settings]
    apply: Callable[[Subject, Any], Findings]


# Where each lives: a module is imported, with all that it needs, when its method is asked for.
METHODS = {
    "edge": "probes.method.edge",
    "erasure": "probes.method.erasure",
    "geometry": "probes.method.geometry",
    "heads": "probes.method.heads",
    "information": "probes.method.information",
    "likelihood": "probes.method.likelihood",
    "mix": "probes.method.mix",
    "online": "probes.method.online",
    "structure": "probes.method.structure",
    "sweep": "probes.method.sweep",
    "use": "probes.method.use",
}


def find_method(name: str) -> Method:
    """A method by its name, ours or that of an installed package; raises ConfigError for a name that nobody knows."""
    if name in METHODS:
        return import_module(METHODS[name]).METHOD
    found = {point.name: point for point in entry_points(group="probes.methods")}
    if name not in found:
        raise ConfigError(
            f"Unknown method {name!r}. Known methods are {list_names(name, [*METHODS, *found])}. "
            f"Choose one of these, or offer your own as an entry point 'probes.methods'."
        )
    return found[name].load()


def check_method(config: MethodConfig) -> tuple[Method, Settings]:
    """A method with its settings; raises ConfigError for a name, key or value that it does not know."""
    method = find_method(config.name)
    options: Mapping[str, Any] = config.options
    return method, parse(method.settings, options, where=f"method {config.name!r}")
