"""Is what is read from a checkpoint what was written, and is anything else refused?"""

import errno

import numpy as np
import pytest

from piriform.errors import StudyError
from piriform.networks.checkpoints import _digest, checkpoint_path, load_checkpoint, save_checkpoint, whole_checkpoints


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(stream, **content):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StudyError, match=r"a.npz: cannot be written \(No space left on device\); make room"):
        save_checkpoint(tmp_path / "a.npz", {"x": np.arange(3)}, {"step": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_changed_checkpoint_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    save_checkpoint(path, {"x": np.arange(3)}, {"step": 1, "digest": "a"})
    assert load_checkpoint(path)[1] == {"step": 1, "digest": "a"}
    assert load_checkpoint(path)[0]["x"].tolist() == [0, 1, 2]
    content = dict(np.load(path))
    save_checkpoint(tmp_path / "same.npz", {"x": np.arange(3)}, {"digest": "a", "step": 1})
    assert (tmp_path / "same.npz").read_bytes() == path.read_bytes()
    changes = ({"x": np.arange(3) + 1}, {"x": np.arange(3)[None]}, {"x": np.arange(3).view("uint64")})
    no_about = {"x": np.arange(3), "sha256": np.array(_digest({"x": np.arange(3)}))}
    for changed in (*(content | change for change in changes), no_about):
        np.savez(path, **changed)
        with pytest.raises(StudyError, match="its SHA-256 does not fit its content"):
            load_checkpoint(path)
    with pytest.raises(StudyError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "b.npz")


def test_training_goes_on_after_the_last_of_whole_checkpoints_in_a_row(tmp_path):
    for step in (0, 1, 7, 20):
        save_checkpoint(checkpoint_path(tmp_path, step), {"x": np.arange(step)}, {"step": step})
    assert [about["step"] for _, about in whole_checkpoints(tmp_path, [0, 1, 3, 7, 20])[0]] == [0, 1]
    assert whole_checkpoints(tmp_path, [0, 1, 3, 7, 20])[1] == ""
    checkpoint_path(tmp_path, 1).write_bytes(b"PK")
    found, damage = whole_checkpoints(tmp_path, [0, 1, 7])
    assert [about["step"] for _, about in found] == [0]
    assert damage == "step-00000001.npz was cut short or damaged"
