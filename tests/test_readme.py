"""The README does what it says: its Python runs as written, its commands exist."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from probes.corpus.read import read_corpus
from tests.toy import call_probes

CHECKOUT = Path(__file__).resolve().parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def write_treebank(folder: Path) -> None:
    """A small treebank where the README says that it lies, made of the built-in corpus."""
    folder = folder / "ud-english-ewt"
    folder.mkdir()
    corpus = read_corpus("grammar")
    for split, size in (("train", 120), ("dev", 40), ("test", 40)):
        lines = []
        for sentence in corpus[split][:size]:
            lines.append(f"# sent_id = {sentence.id}")
            assert sentence.tree is not None
            columns = zip(
                sentence.words, sentence.columns["upos"], sentence.tree.heads, sentence.tree.relations, strict=True
            )
            for number, (word, upos, head, relation) in enumerate(columns, start=1):
                lines.append("\t".join([str(number), word, "_", upos, "_", "_", str(head), relation, "_", "_"]))
            lines.append("")
        (folder / f"en_ewt-ud-{split}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_python_of_the_readme_runs_as_written(tmp_path: Path) -> None:
    write_treebank(tmp_path)
    code = "\n".join(blocks("python"))
    run = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:probes", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PROBES_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "pos.pdf").read_bytes().startswith(b"%PDF")
    assert "layer" in run.stdout
    assert "word_majority" in run.stdout
    assert "NOUN" in run.stdout


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("") for line in block.splitlines()]
    return [line for line in lines if line]


def test_readme_has_commands_of_both_kinds() -> None:
    assert {shlex.split(line)[0] for line in commands()} == {"make", "probes", "torchrun", "srun"}


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("make")])
def test_make_target_of_the_readme_exists(line: str) -> None:
    target = shlex.split(line)[1]
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("probes cache")])
def test_cache_command_of_the_readme_has_its_options(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line)
    assert call_probes(*words[1:3], "--help") == 0
    text = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and word not in text] == []


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("torchrun")])
def test_torchrun_of_the_readme_starts_an_experiment_on_several_processes(line: str) -> None:
    from torch.distributed.run import get_args_parser

    words = shlex.split(line)
    given = get_args_parser().parse_args(words[1:])
    assert given.no_python
    assert int(given.nproc_per_node) > 1
    assert [given.training_script, *given.training_script_args][:2] == ["probes", "encode"]
    assert (CHECKOUT / given.training_script_args[-1]).is_file()


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith(("probes run", "probes encode"))])
def test_run_command_of_the_readme_names_files_and_keys_that_exist(line: str) -> None:
    from probes.config import read_experiment

    words = shlex.split(line)[2:]
    overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    files = [word for i, word in enumerate(words) if not word.startswith("--") and (i == 0 or words[i - 1] != "--set")]
    for file in files:
        assert read_experiment(CHECKOUT / file, overrides).expand()


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (CHECKOUT / target).exists(), target
