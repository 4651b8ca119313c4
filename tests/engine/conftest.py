"""What tests of runs that are kept in a file share."""

import pytest


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where a run is kept; nobody waits for the disk."""
    monkeypatch.setattr("flowcore.files.disk.os.fsync", lambda handle: None)
    return tmp_path / "run.npz"
