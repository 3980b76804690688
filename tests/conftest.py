"""What every test runs under: shapes checked, no network, no display, a home of its own."""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from jaxtyping import install_import_hook

# Before anything of probes is imported: a module that is already loaded stays unchecked.
# The numeric tower lets an int stand where a float is asked for, as PEP 484 and pyright do.
install_import_hook("probes", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# Before huggingface_hub, wandb and matplotlib are imported: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ.pop("WANDB_DIR", None)
os.environ["MPLBACKEND"] = "Agg"

# Before torch is imported: test processes that each use every core wait for each other at every product.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

CHECKOUT = Path(__file__).resolve().parents[1]
COLLECTED_FLOOR = 3000  # tests and doctests of the whole suite; a test that is never collected is no test


def pytest_configure(config: pytest.Config) -> None:
    """One home for each process of the test run, also for doctests, which see no fixture of this file."""
    home = tempfile.TemporaryDirectory(prefix="probes-home-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    os.environ["PROBES_HOME"] = home.name


def is_corpus_required() -> bool:
    return os.environ.get("PROBES_REQUIRE_CORPUS") == "1"


@pytest.fixture(scope="session")
def corpus_data() -> Path:
    """The folder of the real corpora; the test is skipped where it is absent."""
    data = Path(os.environ.get("PROBES_DATA") or CHECKOUT.parent / "shared" / "data")
    if not data.is_dir():
        pytest.skip(f"No corpora at {data}. Set PROBES_DATA to the folder that holds them.")
    return data


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped corpus test is a failure where the corpora have to be there."""
    report = yield
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and is_corpus_required() and item.get_closest_marker("corpus"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"PROBES_REQUIRE_CORPUS=1 allows no skipped corpus test. {reason}"
    return report


@pytest.hookimpl(tryfirst=True)  # before -m and -k take tests away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if [Path(path).name for path in config.args] == config.getini("testpaths"):
        check_collected(len(items), COLLECTED_FLOOR)


def check_collected(num_collected: int, floor: int) -> None:
    """The whole suite holds at least as many tests as are known to exist."""
    if num_collected < floor:
        raise pytest.UsageError(
            f"Expected at least {floor} tests in the whole suite, but collected {num_collected}. "
            f"Look for a file or class that pytest no longer finds, or lower COLLECTED_FLOOR in conftest.py."
        )


@pytest.fixture(scope="session")
def toy_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random BERT of 12 blocks and 32 dims with its tokenizer."""
    from tests.toy import save_toy_bert

    return save_toy_bert(tmp_path_factory.mktemp("encoder") / "toy-bert")


@pytest.fixture(scope="session")
def toy_masked_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 2 blocks and a masked-word head."""
    from tests.toy import save_toy_bert

    return save_toy_bert(tmp_path_factory.mktemp("encoder") / "toy-masked-bert", num_layers=2, head=True)


@pytest.fixture(scope="session")
def study(toy_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The experiment `layer_pos` on the toy encoder, run once."""
    from tests.toy import run_layer_pos

    return run_layer_pos(toy_bert, tmp_path_factory.getbasetemp() / "layer_pos")


@pytest.fixture
def curve(study: Any) -> Any:
    return study.curves["pretrained"]


@pytest.fixture
def settings(study: Any) -> list[str]:
    """The study's settings as arguments of the command line."""
    return [part for override in study.overrides for part in ("--set", override)]


@pytest.fixture
def copy(study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of the study below an empty working directory."""
    shutil.copytree(study.results, tmp_path / "results", copy_function=shutil.copy2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    return tmp_path / "results"
