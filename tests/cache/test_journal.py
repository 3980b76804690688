"""The journal: what was said is read again, and a record cut short is none."""

import os
from pathlib import Path

import numpy as np
import pytest

from probes.cache.journal import Journal, read_journal, write_journal

SUMS = {4: np.array([[1, 2, 3], [2**64 - 1, 5, 0]], dtype=np.uint64), 0: np.zeros((2, 3), dtype=np.uint64)}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal-0.bin"
    writer = Journal(path)
    for batch, sums in SUMS.items():
        writer.append(batch, sums)
    writer.close()
    return path


def test_records_are_read_as_they_were_appended(journal: Path) -> None:
    found = read_journal(journal, 2, 3)
    assert list(found) == [4, 0]
    assert all(np.array_equal(found[batch], SUMS[batch]) for batch in SUMS)


@pytest.mark.parametrize("cut", range(1, 8 * 7 + 1))
def test_record_that_was_cut_short_is_no_record(cut: int, journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert list(read_journal(journal, 2, 3)) == [4]


def test_record_that_the_disk_takes_in_part_is_an_error(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, real = Journal(journal), os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:9]))
    with pytest.raises(OSError, match="No space left on device"):
        writer.append(7, SUMS[0])
    writer.close()


def test_rewritten_journal_holds_what_it_was_given_and_can_be_gone_on_with(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[:-3])
    write_journal(journal, read_journal(journal, 2, 3))
    writer = Journal(journal)
    writer.append(7, SUMS[0])
    writer.close()
    assert list(read_journal(journal, 2, 3)) == [4, 7]
    assert [path.name for path in journal.parent.iterdir()] == ["journal-0.bin"]
