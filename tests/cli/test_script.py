"""How scripts end: a mistake is one message and a code, what is no mistake of the caller keeps its traceback."""

import json
import signal
import subprocess
import sys
import threading

import pytest

from probes.cli.script import answer, run_script
from probes.errors import ConfigError, FitError
from tests.conftest import CHECKOUT

SCRIPTS = sorted(
    path
    for folder in ("experiments", "paper")
    for path in (CHECKOUT / folder).rglob("*.py")
    if "__main__" in path.read_text("utf-8") and path.parent.name != "benchmarks"
)


def raising(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("A was expected, but came B."), 2, "probes: A was expected, but came B.\n"),
        (FitError("no layer stayed finite"), 1, "probes: no layer stayed finite\n"),
        (OSError(28, "No space left on device"), 1, "probes: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_message_and_its_code(error, code, said, capsys):
    with pytest.raises(SystemExit) as ended:
        run_script(raising(error))
    assert (ended.value.code, capsys.readouterr()) == (code, ("", said))


@pytest.mark.parametrize(("returned", "code"), [(None, None), (0, 0), (1, 1)])
def test_the_code_is_what_main_returns(returned, code):
    with pytest.raises(SystemExit) as ended:
        run_script(lambda: returned)
    assert ended.value.code == code


def test_an_error_of_nobody_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_script(raising(ZeroDivisionError()))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_ends_so(path):
    assert path.read_text("utf-8").endswith('if __name__ == "__main__":\n    run_script(main)\n')


def test_there_are_scripts():
    assert {"reproduce", "claims", "score", "verdict", "tables", "pretrain"} <= {path.stem for path in SCRIPTS}


def test_a_mistyped_name_is_one_message_of_a_script():
    command = [sys.executable, CHECKOUT / "experiments" / "reproduce.py", "--only", "miks", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("probes: --only expects names of experiments, but came 'miks'. There are 'mix', ")
    assert done.stderr.count("\n") == 1


def test_sigterm_ends_a_script_as_an_interrupt_does(capsys):
    before = signal.getsignal(signal.SIGTERM)
    kept = []

    def main() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            kept.append("went on")
        finally:
            kept.append("tidied")

    with pytest.raises(SystemExit) as ended:
        run_script(main)
    assert (ended.value.code, kept, capsys.readouterr()) == (143, ["tidied"], ("", ""))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_script_in_a_thread_leaves_signals_as_they_are():
    before, code = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with pytest.raises(SystemExit) as ended:
            run_script(lambda: 3)
        code.append(ended.value.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert (code, signal.getsignal(signal.SIGTERM)) == ([3], before)


def test_an_answer_is_json_and_a_table_and_said(tmp_path, capsys):
    answer(tmp_path / "new" / "one.json", {"Wört": [1, 2]}, ["| a |", "|---|"])
    assert json.loads((tmp_path / "new" / "one.json").read_text("utf-8")) == {"Wört": [1, 2]}
    assert "Wört" in (tmp_path / "new" / "one.json").read_text("utf-8")
    assert (tmp_path / "new" / "one.md").read_text("utf-8") == capsys.readouterr().out == "| a |\n|---|\n"
