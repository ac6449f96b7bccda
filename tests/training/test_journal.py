"""What a run without a terminal says of its progress."""

from pathlib import Path

from training.journal import Journal


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_log_file_gets_a_line_on_the_progress_each_minute(tmp_path: Path, caplog):
    caplog.set_level("INFO", "training")
    clock = Clock()
    journal = Journal(tmp_path, steps=1200, clock=clock)
    journal.start(100)
    for step in range(101, 300):
        clock.now += 1.25
        journal.at(step, {"loss": 0.5, "count": 2.0} if step < 200 else {})
        if step == 199:
            journal.write(step, 0.0, {"loss": 0.125})
    assert caplog.messages == [
        "step 148 of 1,200, loss 0.25, 0.8 steps/s, 21:55 left",
        "step 196 of 1,200, loss 0.25, 0.8 steps/s, 20:55 left",
        "step 244 of 1,200, loss 0.125, 0.8 steps/s, 19:55 left",
        "step 292 of 1,200, loss 0.125, 0.8 steps/s, 18:55 left",
    ]


def test_progress_before_the_first_loss_or_after_a_roll_back_tells_what_is_known(
    tmp_path: Path, caplog
):
    caplog.set_level("INFO", "training")
    clock = Clock()
    journal = Journal(tmp_path, steps=100, clock=clock)
    journal.start(20)
    for step in (20, 10):
        clock.now += 100
        journal.at(step, {})
    assert caplog.messages == ["step 20 of 100", "step 10 of 100"]


def test_a_second_process_says_nothing(tmp_path: Path, caplog):
    caplog.set_level("INFO", "training")
    clock = Clock()
    journal = Journal(tmp_path, steps=100, silent=True, clock=clock)
    clock.now += 100
    journal.at(1, {"loss": 0.5, "count": 1.0})
    assert not caplog.messages
