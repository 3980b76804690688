"""The base of all settings, and how a wrong one is reported."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from probes.errors import ConfigError, list_names


class Settings(BaseModel):
    """Frozen, and strict about its keys; the docstring under a field is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Settings)


def parse(model: type[Model], data: Mapping[Any, Any], where: str) -> Model:
    """`data` as settings of `model`; raises ConfigError that names the key, `where` it stands, and what may."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors()
        # A list with a wrong item is reported as too short as well; the item says it all.
        wrong = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
        messages = [_explain(model, detail) for detail in details if detail["loc"] not in wrong]
        raise ConfigError(f"{where}: " + " ".join(messages)) from None


def _explain(model: type[Settings], detail: Any) -> str:
    location = tuple(str(part) for part in detail["loc"])
    key = ".".join(location)
    if detail["type"] == "extra_forbidden":
        parent = settings_at(model, location[:-1]) or model
        inside = f"inside {'.'.join(location[:-1])!r}" if location[:-1] else "at the top"
        known = list_names(location[-1], parent.model_fields)
        return f"Unknown key {key!r}. Known keys {inside} are {known}. Rename or remove it."
    if detail["type"] == "missing":
        return f"Key {key!r} is needed and is not there. Add it."
    if detail["type"] == "invalid_key":
        return f"Key {key!r} should be text, but is {detail['input']!r}. Quote it."
    if detail["type"] == "value_error":
        # A rule over several keys: its own words say what was expected and what to do.
        return f"{f'{key}: ' if key else ''}{detail['msg'].removeprefix('Value error, ')}."
    expected = detail["msg"].partition(" should ")[2] or f"be otherwise ({detail['msg']})"
    return f"Key {key!r} should {expected}, but is {detail['input']!r}. Change it."


def settings_at(model: type[Settings], path: tuple[str, ...]) -> type[Settings] | None:
    """The settings class that stands at a dotted path below `model`, or None."""
    for name in path:
        field = model.model_fields.get(name)
        nested = [option for option in _options(field.annotation) if _is_settings(option)] if field else []
        if not nested:
            return None
        model = nested[0]
    return model


def describe(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every key below `model` as (dotted key, help, default or ... where it is needed), in their order."""
    for name, field in model.model_fields.items():
        nested = [option for option in _options(field.annotation) if _is_settings(option)]
        if nested:
            yield from describe(nested[0], f"{prefix}{name}.")
        else:
            default = ... if field.is_required() else field.get_default(call_default_factory=True)
            yield f"{prefix}{name}", field.description or "", default


def _options(annotation: Any) -> tuple[Any, ...]:
    is_union = get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"
    return get_args(annotation) if is_union else (annotation,)


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)
