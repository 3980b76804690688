"""Extraction as commands: killed for real, asked for twice at once, and shared by several processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes.cache import verify_cache
from tests.toy import CHECKOUT, make_corpus, write_treebank

ENCODE = ("experiments/layer_pos.yaml", "--set", "encoder.twin=null", "--set", "encoder.batch_pieces=32")
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def command(toy_bert: Path, tmp_path: Path) -> list[str]:
    """The command that encodes a treebank of 3 x 103 sentences."""
    folder = write_treebank(make_corpus(size=103), tmp_path / "treebank")
    return [
        str(PROGRAMS / "probes"),
        "encode",
        *ENCODE,
        "--set",
        f"encoder.name={toy_bert}",
        "--set",
        f"corpus.path={folder}/*.conllu",
    ]


def start(command: list[str], home: Path) -> "subprocess.Popen[str]":
    """One process with one thread, as torchrun gives each of several."""
    environment = os.environ | {"PROBES_HOME": str(home), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, text=True, **pipes)


def cache_in(home: Path) -> dict[str, bytes]:
    (manifest,) = home.glob("caches/*/manifest.json")
    assert verify_cache(manifest.parent) == []
    return {path.name: path.read_bytes() for path in manifest.parent.iterdir()}


def wait_for_journal(process: "subprocess.Popen[str]", home: Path, size: int) -> None:
    """Until the process has written so many bytes of its cache's journal."""
    journal = None
    while journal is None or journal.stat().st_size < size:
        journal = next(home.glob("caches/.working-*/journal-0.bin"), None)
        assert process.poll() is None
        time.sleep(0.002)


@pytest.mark.slow
def test_command_killed_twice_ends_with_the_same_bytes(command: list[str], tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(command, whole).communicate()[1] == ""
    record = 8 * (1 + 3 * 13)
    for wanted in (3, 12):
        process = start(command, cut)
        wait_for_journal(process, cut, wanted * record)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    out, err = start(command, cut).communicate()
    assert " batches are there already" in err
    assert "13 layers" in out
    assert cache_in(cut) == cache_in(whole)


EXTRACTS = """
import sys
from pathlib import Path
from probes.config import read_experiment
from probes.encoder.extract import extract
from probes.encoder.load import load_encoder
from probes.study.material import read_sentences
(run,) = read_experiment(Path(sys.argv[2]), [one for one in sys.argv[3:] if one != "--set"]).expand()
extract(load_encoder(run.encoder), read_sentences(run), "word")
print("went on")
"""


@pytest.mark.slow
@pytest.mark.parametrize("caller", ["command", "program"])
def test_sigterm_ends_it_and_the_next_call_goes_on_from_there(caller: str, command: list[str], tmp_path: Path) -> None:
    started = command if caller == "command" else [sys.executable, "-c", EXTRACTS, *command[1:]]
    process = start(started, tmp_path)
    wait_for_journal(process, tmp_path, 3 * 8 * (1 + 3 * 13))
    process.terminate()
    assert (process.communicate(), process.returncode) == (("", ""), 128 + signal.SIGTERM)
    out, err = start(command, tmp_path).communicate()
    assert " batches are there already" in err
    assert "13 layers" in out


@pytest.mark.slow
def test_two_processes_that_ask_for_one_cache_make_it_once(command: list[str], tmp_path: Path) -> None:
    first = start(command, tmp_path / "home")
    wait_for_journal(first, tmp_path / "home", 1)
    os.kill(first.pid, signal.SIGSTOP)  # so that it is not done before the other asks
    second = start(command, tmp_path / "home")
    assert second.stderr is not None
    told = second.stderr.readline()
    os.kill(first.pid, signal.SIGCONT)
    out, err = first.communicate()
    assert (first.returncode, err) == (0, "")
    assert f" is being made by process {first.pid}" in told
    assert second.communicate() == (out, "")
    assert second.returncode == 0
    assert len(list((tmp_path / "home" / "caches").glob("*/manifest.json"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [2, 3])
def test_several_processes_write_the_bytes_of_one(num_processes: int, command: list[str], tmp_path: Path) -> None:
    start(command, tmp_path / "one").communicate()
    torchrun = [str(PROGRAMS / "torchrun"), "--nproc-per-node", str(num_processes), "--no-python"]
    process = start([*torchrun, *command], tmp_path / "several")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert len(out.splitlines()) == 1
    assert cache_in(tmp_path / "several") == cache_in(tmp_path / "one")
    again = start([*torchrun, *command], tmp_path / "several")
    assert again.communicate() == (out, err)


SHARES = """
import atexit
import os
import sys
from pathlib import Path
import torch
from probes.encoder import one_pass
from probes.encoder.extract import extract
from probes.encoder.load import load_encoder
from probes.config import EncoderConfig
sys.path.insert(0, sys.argv[1])
from tests.toy import make_corpus
def tell(*values):
    # One write: print() may make several, and the lines of two processes on one pipe then mix.
    os.write(1, (" ".join(map(str, values)) + chr(10)).encode())
# What is registered first is called last: here everything has been left that will be.
atexit.register(lambda: tell("left", not torch.distributed.is_initialized()))
join = one_pass.Pass.join
def note(self, rank, num_processes):
    join(self, rank, num_processes)
    tell("share", rank, num_processes, len(self.mine), len(self.makings[0].plan.windows))
one_pass.Pass.join = note
encoder = load_encoder(EncoderConfig(name=sys.argv[2], batch_pieces=64))
cache = extract(encoder, make_corpus(size=103), "word", folder=Path(sys.argv[3]))
index = cache.index("train")
tell("ids", len(index.ids), len(set(index.ids)))
"""


@pytest.mark.slow
def test_each_process_computes_its_share_and_each_id_is_there_once(toy_bert: Path, tmp_path: Path) -> None:
    script = tmp_path / "shares.py"
    script.write_text(SHARES)
    command = [str(PROGRAMS / "torchrun"), "--nproc-per-node", "2"]
    out, err = start([*command, str(script), str(CHECKOUT), str(toy_bert), str(tmp_path / "x")], tmp_path).communicate()
    shares = {int(line.split()[1]): line.split()[2:] for line in out.splitlines() if line.startswith("share")}
    assert sorted(shares) == [0, 1], err
    (world, first, total), (_, second, _) = shares[0], shares[1]
    assert world == "2"
    assert int(first) + int(second) == int(total)
    assert abs(int(first) - int(second)) <= 1
    assert out.count("ids 103 103") == 2
    assert out.count("left True") == 2, err
