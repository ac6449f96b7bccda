"""An input at fault is one line of a command of training, not a traceback."""

from importlib import import_module
from pathlib import Path

import pytest

from sr_hub.errors import SRHubError
from training.checkpoint import NotFiniteError
from training.experiments import claims
from training.train import NOT_FINITE

ROOT = Path(__file__).parents[2]
FOLDERS = ["--data", "d", "--val", "v", "--out", "o"]

COMMANDS = {
    "training.train": ("prepare", ["tiny", *FOLDERS]),
    "training.split": ("split", ["d", "o"]),
    "training.plots": ("read_run", ["r"]),
    "training.push": ("gather", ["r", "user/x"]),
    "training.interpolate": ("load_model", ["a", "b", "o"]),
    "training.cross": ("Pictures.read", ["a", "o", "--data", "d"]),
    "training.bench": ("in_own_process", ["tiny"]),
    "training.experiments.claims": ("read_results", []),
    "training.experiments.compressed": ("load_model", ["--val", "v"]),
    "training.experiments.metric_studies": ("read_picture", ["p", "o"]),
    "training.experiments.real_pictures": ("read_picture", ["p", "o"]),
    "training.experiments.share": ("load_model", ["a", "b", "c", "--val", "v"]),
    "training.experiments.stability": ("train.main", FOLDERS),
}
"""Module -> something that it calls, and a line of options."""

ERRORS = [
    (SRHubError("the fix"), "error: the fix"),
    (OSError(28, "No space left on device"), "error: No space left on device"),
    (IsADirectoryError(21, "Is a directory", "/tmp/x"), "error: /tmp/x: Is a directory"),
    (OSError("cannot write"), "error: cannot write"),
]


def outcome(name: str, error: Exception, monkeypatch, capsys) -> tuple[int, str]:
    """Exit code and stderr of a command that comes upon an error."""

    def fail(*_: object, **__: object) -> None:
        raise error

    called, line = COMMANDS[name]
    module = import_module(name)
    monkeypatch.setattr(f"{name}.{called}", fail)
    return module.main(line), capsys.readouterr().err


@pytest.mark.parametrize(("error", "said"), ERRORS)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_at_fault_is_one_line_and_exit_code_2(name, error, said, monkeypatch, capsys):
    assert outcome(name, error, monkeypatch, capsys) == (2, f"{said}\n")


def test_a_run_that_is_not_finite_keeps_its_own_exit_code(monkeypatch, capsys):
    error = NotFiniteError("stopped")
    ended = outcome("training.train", error, monkeypatch, capsys)
    assert ended == (NOT_FINITE, "error: stopped\n")


def test_the_list_has_every_command():
    files = (ROOT / "training").rglob("*.py")
    mains = [path.relative_to(ROOT) for path in files if "if __name__" in path.read_text()]
    assert sorted(".".join(path.with_suffix("").parts) for path in mains) == sorted(COMMANDS)


def test_results_that_are_a_folder_are_one_line(tmp_path, capsys):
    assert claims.main(["--results", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: Is a directory\n"
