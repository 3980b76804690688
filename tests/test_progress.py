"""Progress: a line on a terminal, nothing in a pipe."""

import io
import os
import pty
import subprocess
import sys

import pytest

import probes
from probes.progress import Progress
from tests.toy import make_tiny_corpus

CODE = """
import sys, time
from probes.progress import Progress
progress = Progress("encode x", total=100, unit="words")
progress.start()
for _ in range(10):
    progress.advance(10)
    time.sleep(0.05)
progress.note("(2 left)")
time.sleep(0.15)
progress.stop()
progress.stop()
"""


def test_in_a_pipe_nothing_is_said(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress("encode", total=3, unit="words")
    progress.start()
    progress.advance(3)
    progress.note("more")
    progress.stop()
    assert stream.getvalue() == ""


def test_on_a_terminal_it_says_how_far_and_how_fast():
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    child = subprocess.Popen([sys.executable, "-c", CODE], stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end has gone
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert child.wait() == 0
    text = said.decode()
    assert "encode x" in text
    assert "100/100" in text
    assert "words, " in text
    assert "/s" in text
    assert "(2 left)" in text
    assert text.rstrip().endswith("\x1b[2K"), "the line is taken away at the end"


@pytest.fixture
def counts(monkeypatch):
    """What every progress line was told."""
    seen = []
    monkeypatch.setattr(Progress, "start", lambda self: seen.append([self.what, self.total, self.unit, 0]))
    monkeypatch.setattr(Progress, "advance", lambda self, count: seen[-1].__setitem__(3, seen[-1][3] + count))
    return seen


def test_encoding_counts_the_words_that_are_computed_and_fitting_its_steps(toy_bert, tmp_path, monkeypatch, counts):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    corpus = make_tiny_corpus()
    cache = probes.encode(str(toy_bert), corpus)
    (encode,) = counts
    num_words = sum(len(one.words) for split in corpus.splits.values() for one in split)
    assert encode == [f"encode {cache.folder.name}", num_words, "words", num_words]
    probes.encode(str(toy_bert), corpus)
    assert len(counts) == 1, "what is there already is not counted"
    probes.probe(cache, "pos", min_steps=16)
    what, total, unit, done = counts[1]
    assert (what, unit) == ("fit 13 layers", "steps")
    assert 0 < done <= total
