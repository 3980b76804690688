"""Where an encoder's files are: a Hub name, a local folder, or a folder inside an installed package."""

from importlib.util import find_spec
from pathlib import Path

from probes.encoder.planted import planted_folder
from probes.errors import EncoderError

PACKAGE_PREFIX = "pkg:"
PLANTED_PREFIX = "planted:"


class UnknownEncoderError(EncoderError):
    """A name under which no encoder is found: a mistake of the caller."""

    exit_code = 2


def locate_encoder(name: str) -> str:
    """What transformers should load: a folder's path, or the Hub name itself.

    `pkg:package/folder` is a folder inside an installed Python package, `planted:NAME` an encoder whose weights are set
    by hand (`probes.planted`). Raises UnknownEncoderError for a package
    that is not installed and for a folder without `config.json`.
    """
    if name.startswith(PACKAGE_PREFIX):
        return str(_checked(_package_folder(name), name))
    if name.startswith(PLANTED_PREFIX):
        return str(planted_folder(name.removeprefix(PLANTED_PREFIX)))
    folder = Path(name).expanduser()
    if folder.is_dir() or folder.is_absolute() or name.startswith(("./", "../", "~")):
        return str(_checked(folder, name))
    return name


def _package_folder(name: str) -> Path:
    package, _, folder = name.removeprefix(PACKAGE_PREFIX).partition("/")
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UnknownEncoderError(
            f"Encoder {name!r} needs the installed package {package!r}, but there is none. "
            f"Install it, for example with: pip install {package.replace('_', '-')}"
        )
    return Path(next(iter(spec.submodule_search_locations))) / folder


def _checked(folder: Path, name: str) -> Path:
    if not (folder / "config.json").is_file():
        raise UnknownEncoderError(
            f"Encoder {name!r} should be a folder with config.json, weights and a tokenizer, but there is no "
            f"config.json in {folder}. Save one there with save_pretrained, or correct the name."
        )
    return folder
