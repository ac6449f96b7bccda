"""What the tests of training share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of small pictures."""
    from training_runs import write_pictures

    return write_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="session")
def finished(pictures: Path, tmp_path_factory) -> Path:
    """A finished run of a few steps."""
    from training_runs import command

    from training import train

    out = tmp_path_factory.mktemp("runs") / "tiny"
    line = command(pictures, out, "tiny", "--steps", "6", "--set", "validate_every=3")
    assert train.main(line) == 0
    return out
