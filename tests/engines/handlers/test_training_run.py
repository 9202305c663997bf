"""The run folder: what is in it, who may use it, how a training goes on."""

import csv
import json
import os
import random
import signal
import subprocess
import sys

import pytest
import torch
from ignite.engine import Events

from ganglion.engines import AlternatingTrainer
from ganglion.engines.handlers import TrainingRun
from ganglion.engines.handlers.checkpoint import load_plain
from ganglion.errors import DivergedError, InputError, StorageError


def rows(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_what_was_promised(toy, tmp_path):
    run, model = tmp_path / "run", tmp_path / "models" / "model.pt"
    trainer, _ = toy.build(run, epochs=2, deploy_to=model)
    trainer.run()
    assert {p.name for p in run.iterdir()} == {
        "checkpoints",
        "networks",
        "history.csv",
        "config.json",
        "run.lock",
        "log.txt",
    }
    assert {p.name for p in (run / "networks").iterdir()} == {"average.pt", "critic.pt", "segmenter.pt"}
    assert len(list((run / "checkpoints").iterdir())) == 2
    assert [row["epoch"] for row in rows(run)] == ["1", "2"]
    assert {"critic/loss", "drift/loss", "segmenter/supervised", "val/score"} <= set(rows(run)[0])
    assert json.loads((run / "config.json").read_text())["phases"]["drift"] == ["critic"]
    assert "epoch 2/2" in (run / "log.txt").read_text()
    deployed, network = load_plain(model), load_plain(run / "networks" / "segmenter.pt")
    assert deployed.keys() == network.keys()
    toy.networks()["segmenter"].load_state_dict(deployed)


def test_the_best_validation_epoch_is_deployed_and_the_former_kept(toy, tmp_path):
    model = tmp_path / "model.pt"
    torch.save({"former": torch.ones(1)}, model)
    trainer, handler = toy.build(tmp_path / "run", epochs=3, deploy_to=model)
    scores = iter([0.1, 0.9, 0.4])
    handler.validator.add_event_handler(
        Events.COMPLETED, lambda engine: engine.state.metrics.update(score=next(scores))
    )
    seen = {}

    @trainer.on(Events.EPOCH_COMPLETED)
    def _(engine):
        seen[engine.state.epoch] = {name: net[0].weight.detach().clone() for name, net in engine.networks.items()}

    trainer.run()
    assert handler.best.epoch == 2
    assert torch.equal(load_plain(model)["0.weight"], seen[2]["segmenter"])
    for name in trainer.networks:  # who goes on training starts from networks of one and the same epoch
        assert torch.equal(load_plain(tmp_path / "run" / "networks" / f"{name}.pt")["0.weight"], seen[2][name]), name
        assert not torch.equal(seen[2][name], seen[3][name])
    assert "former" in load_plain(tmp_path / "model.pt.previous")


def test_a_run_says_in_one_line_where_everything_lies(toy, tmp_path, caplog):
    run, model = tmp_path / "run", tmp_path / "model.pt"
    parts = ["networks", "checkpoints", "history.csv", "tensorboard", "config.json", "log.txt"]
    for _ in range(2):  # also when there is nothing left to do
        caplog.clear()
        with caplog.at_level("INFO"):
            trainer, handler = toy.build(run, epochs=1, deploy_to=model)
            handler.tensorboard = True
            trainer.run()
        (line,) = (record.getMessage() for record in caplog.records if "everything lies" in record.getMessage())
        assert line.startswith(f"where everything lies: deployed weights {model}, weights of every network {run}")
        assert all(str(run / name) in line for name in parts)
        assert "\n" not in line


def test_an_end_that_is_gone_through_twice_keeps_the_weights_from_before(toy, tmp_path):
    """As after a kill between the deployed weights and the last network's."""
    model = tmp_path / "model.pt"
    torch.save({"former": torch.ones(1)}, model)
    toy.build(tmp_path / "run", epochs=1, deploy_to=model)[0].run()
    (tmp_path / "run" / "networks" / "segmenter.pt").unlink()
    left = tmp_path / "run" / "networks" / ".segmenter.pt.abc.tmp"
    left.write_bytes(b"unfinished")
    toy.build(tmp_path / "run", epochs=1, deploy_to=model)[0].run()
    assert (tmp_path / "run" / "networks" / "segmenter.pt").exists()
    assert not left.exists()
    assert "former" in load_plain(tmp_path / "model.pt.previous")


def test_patience_ends_a_training_and_is_remembered(toy, tmp_path, caplog):
    trainer, handler = toy.build(tmp_path, epochs=9, patience=2)
    scores = iter([0.1, 0.9, 0.8, 0.7, 0.6])
    handler.validator.add_event_handler(
        Events.COMPLETED, lambda engine: engine.state.metrics.update(score=next(scores))
    )
    trainer.run()
    assert (trainer.state.epoch, handler.best.epoch) == (4, 2)
    before = toy.fingerprint(tmp_path)
    caplog.clear()
    with caplog.at_level("INFO"):
        again, _ = toy.build(tmp_path, epochs=9, patience=2)
        again.run()
    assert "finished after epoch 4, nothing to do" in caplog.text
    assert (again.state.epoch, toy.fingerprint(tmp_path)) == (4, before)


def test_without_a_validator_the_last_epoch_is_taken(toy, tmp_path):
    trainer, _ = toy.build(tmp_path / "unused", epochs=1)
    run = TrainingRun(tmp_path / "run", tensorboard=False)
    bare = AlternatingTrainer(
        "cpu", 2, toy.loader(), trainer.networks, "segmenter", trainer.phases, train_handlers=[run]
    )
    bare.run()
    final = load_plain(tmp_path / "run" / "networks" / "critic.pt")
    assert torch.equal(final["0.weight"], trainer.networks["critic"][0].weight)


@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_anywhere_and_resumed_in_new_processes_it_ends_with_the_same_weights(
    toy, process, tmp_path, workers, counted
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with_workers = ("--workers", workers)
    assert process(whole, *with_workers) == 0
    assert process(parts, *with_workers, "--stop-at", 2) == 143  # within an epoch
    assert process(parts, *with_workers, "--stop-at", 3, "--signal", "SIGINT") == 130  # after its last iteration
    assert process(parts, *with_workers, "--stop-in-validation", 2) == 143
    assert process(parts, *with_workers, "--time-limit", 1e-6) == 75
    assert process(parts, *with_workers) == 0
    assert toy.fingerprint(parts) == toy.fingerprint(whole)
    assert rows(parts) == rows(whole)
    counted("training faults", 4)


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_workers_outlast_a_signal_to_the_whole_job(toy, process, tmp_path, signal_name, counted):
    """A worker that dies would raise an error within an iteration; the loader still gets rid of its workers."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert process(whole, "--workers", 2) == 0
    code = 143 if signal_name == "SIGTERM" else 130
    assert process(parts, "--workers", 2, "--stop-at", 4, "--group", "--signal", signal_name) == code
    assert process(parts, "--workers", 2) == 0
    assert toy.fingerprint(parts) == toy.fingerprint(whole)
    counted("training faults")


def test_a_time_limit_is_no_failure_of_the_last_epoch(toy, tmp_path, monkeypatch, caplog, counted):
    """What is finished when the time is up ends as it would have; without a run_dir it says that nothing is kept."""
    trainer, handler = toy.build(tmp_path / "run", epochs=1, time_limit=60)
    passed = iter([False] * 5 + [True] * 9)  # three iterations and two subjects of the validation
    monkeypatch.setattr(handler.deadline, "passed", lambda: next(passed))
    trainer.run()
    assert (tmp_path / "run" / "networks" / "critic.pt").exists()
    trainer, handler = toy.build(None, epochs=1, time_limit=60)
    monkeypatch.setattr(handler.deadline, "passed", lambda: True)
    with caplog.at_level("INFO"), pytest.raises(SystemExit, match="75"):
        trainer.run()
    assert "stopped by the time limit of 60 minutes in epoch 1, iteration 1: nothing is kept" in caplog.text
    counted("training faults")


def test_a_signal_while_the_time_limit_saves_does_not_cut_the_saving_short(toy, tmp_path, monkeypatch, counted):
    """A queue's SIGTERM comes when the limit was set as long as the queue's."""
    trainer, handler = toy.build(tmp_path, epochs=1, time_limit=60)
    monkeypatch.setattr(handler.deadline, "passed", lambda: True)
    monkeypatch.setattr(handler, "save", signalled(handler))
    with pytest.raises(SystemExit, match="143"):
        trainer.run()
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["iteration-000000001.pt"]
    counted("training faults")


def signalled(handler):
    whole = handler.save

    def save():
        signal.raise_signal(signal.SIGTERM)
        whole()

    return save


def test_killed_again_and_again_it_ends_with_the_same_weights(toy, tmp_path, at_operation, counted):
    """SIGKILL in the midst of operations on files all through a training; an epoch has some 400 of them."""
    chance, kills = random.Random(1), 0
    toy.build(tmp_path / "whole", epochs=4)[0].run()
    for _ in range(50):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            trainer, _ = toy.build(tmp_path / "parts", epochs=4)
            at_operation(chance.randrange(60, 900), lambda: os.kill(os.getpid(), signal.SIGKILL))
            trainer.run()
            os._exit(0)
        chance.random()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
    assert kills >= 3
    assert toy.fingerprint(tmp_path / "parts") == toy.fingerprint(tmp_path / "whole")
    counted("training faults", kills)


def test_resumed_from_each_epoch_it_ends_with_the_same_weights(toy, process, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert process(whole, "--epochs", 4) == 0
    for epochs in (1, 2, 3, 4):
        assert process(parts, "--epochs", epochs) == 0
    assert toy.fingerprint(parts) == toy.fingerprint(whole)


def test_after_a_damaged_checkpoint_the_one_before_gives_the_same_weights(toy, process, tmp_path, counted):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert process(whole) == 0
    assert process(parts, "--stop-at", 8) == 143
    newest = sorted((parts / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    assert process(parts) == 0
    assert "iteration-000000008.pt is damaged: taking the one before" in (parts / "log.txt").read_text()
    assert toy.fingerprint(parts) == toy.fingerprint(whole)
    counted("training faults")


@pytest.mark.slow
def test_the_same_in_freshly_started_interpreters(toy, tmp_path):
    """No memory is shared with the process before, as it is with a fork."""

    def start(folder, *arguments):
        command = [sys.executable, "-W", "ignore", toy.__file__, str(folder), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert start(whole) == 0
    assert start(parts, "--stop-at", 5) == 143
    assert start(parts) == 0
    assert toy.fingerprint(parts) == toy.fingerprint(whole)


def test_a_finished_run_says_so_and_changes_nothing(toy, tmp_path, caplog):
    toy.build(tmp_path, epochs=1)[0].run()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name not in ("log.txt", "run.lock")}
    caplog.clear()
    with caplog.at_level("INFO"):
        toy.build(tmp_path, epochs=1)[0].run()
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name not in ("log.txt", "run.lock")}
    assert "finished after epoch 1, nothing to do" in caplog.text
    assert before == after


def test_other_subjects_make_another_training(toy, tmp_path, monkeypatch, caplog):
    """As in MONAI Label, where the same button trains again once more subjects have labels."""
    toy.build(tmp_path, epochs=2)[0].run()
    finished = toy.fingerprint(tmp_path)
    plain = toy.items
    monkeypatch.setattr(toy, "items", lambda count=17: [{**i, "subject": f"new-{i['subject']}"} for i in plain(count)])
    trainer, _ = toy.build(tmp_path, epochs=3)
    trainer.run()
    assert trainer.state.iteration == 9
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2", "3"]
    assert toy.fingerprint(tmp_path / "former-1") == finished
    assert "the subjects are others" in caplog.text
    for file in (tmp_path / "networks").iterdir():
        file.unlink()  # as if it had been stopped before its end
    monkeypatch.setattr(toy, "items", plain)
    with pytest.raises(InputError, match="unfinished training on other subjects"):
        toy.build(tmp_path, epochs=4)[0].run()


def test_weights_lost_between_the_last_checkpoint_and_the_end_are_written(toy, tmp_path):
    toy.build(tmp_path, epochs=1)[0].run()
    expected = toy.fingerprint(tmp_path)
    for file in (tmp_path / "networks").iterdir():
        file.unlink()
    toy.build(tmp_path, epochs=1)[0].run()
    assert toy.fingerprint(tmp_path) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda toy: setattr(toy, "networks", wider(toy.networks)), "another network 'critic': '0.weight' has shape"),
        (lambda toy: setattr(toy, "phases", fewer(toy.phases)), "its phases is"),
        (lambda toy: setattr(toy, "ACCUMULATE", 3), "its epoch_length is 3, expected 2"),
    ],
)
def test_a_checkpoint_of_another_make_is_refused(toy, tmp_path, monkeypatch, change, message):
    toy.build(tmp_path, epochs=1)[0].run()
    for name in ("networks", "phases", "ACCUMULATE"):
        monkeypatch.setattr(toy, name, getattr(toy, name))
    change(toy)
    with pytest.raises(InputError, match=message) as caught:
        toy.build(tmp_path, epochs=2)[0].run()
    assert "iteration-000000003.pt" in str(caught.value)
    assert "choose another run_dir" in str(caught.value)
    assert "\n" not in str(caught.value)


def wider(networks):
    def build():
        nets = networks()
        nets["critic"] = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.LeakyReLU(0.2), torch.nn.Linear(8, 1))
        return nets

    return build


def fewer(phases):
    return lambda nets: [phases(nets)[0], phases(nets)[2]]


def test_two_runs_into_one_folder_do_not_mix(toy, tmp_path, counted):
    first, _ = toy.build(tmp_path, epochs=1)
    second, _ = toy.build(tmp_path, epochs=1)
    refused = []

    @first.on(Events.ITERATION_COMPLETED(once=2))
    def _(engine):
        with pytest.raises(InputError, match=f"process {os.getpid()} trains into this folder already"):
            second.run()
        refused.append(second.state.iteration)

    first.run()
    assert refused == [0]
    assert len(rows(tmp_path)) == 1
    counted("training faults")


def test_a_diverged_run_leaves_the_last_good_checkpoint(toy, tmp_path):
    trainer, _ = toy.build(tmp_path, epochs=3)

    @trainer.on(Events.ITERATION_STARTED(once=5))
    def _(engine):
        with torch.no_grad():
            engine.networks["critic"][0].weight.fill_(float("nan"))

    with pytest.raises(DivergedError, match=r"last good checkpoint: .*iteration-000000003.pt"):
        trainer.run()
    files = sorted((tmp_path / "checkpoints").iterdir())
    assert [f.name for f in files] == ["iteration-000000003.pt"]
    weights = load_plain(files[0])["trainer"]["networks"]
    assert all(torch.isfinite(v.float()).all() for net in weights.values() for v in net.values())


@pytest.mark.parametrize("where", ["weight", "optimizer"])
def test_no_checkpoint_is_written_with_what_is_not_finite(toy, tmp_path, where, counted):
    """What spoils a training between its last iteration and the checkpoint ends it all the same."""
    trainer, handler = toy.build(tmp_path, epochs=2)

    @handler.validator.on(Events.COMPLETED)
    def _(engine):
        if trainer.state.epoch == 2:
            critic = trainer.networks["critic"][0].weight
            moments = trainer.phases[0].optimizer.state[critic]
            with torch.no_grad():
                (critic if where == "weight" else moments["square_avg"]).fill_(float("inf"))

    expected = {"weight": "weight critic.0.weight", "optimizer": "optimizer.critic.0.square_avg"}[where]
    with pytest.raises(DivergedError, match=f"epoch 2, iteration 6: {expected} is not finite.*iteration-000000003.pt"):
        trainer.run()
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["iteration-000000003.pt"]
    assert not (tmp_path / "networks").exists()
    counted("training faults")


@pytest.mark.parametrize("curves", [True, False])
def test_a_full_disk_ends_the_training_and_with_room_the_same_command_goes_on(toy, tmp_path, curves, counted):
    """Files may not grow beyond the smallest; whatever is written first, it is one line."""
    import resource

    toy.build(tmp_path / "whole", epochs=3)[0].run()
    trainer, handler = toy.build(tmp_path / "run", epochs=3)
    handler.tensorboard, handler.log_every = curves, 1
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    @trainer.on(Events.EPOCH_STARTED(once=2))
    def _(engine):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))

    try:
        with pytest.raises(StorageError, match="cannot write .*File too large; free space or rights there"):
            trainer.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (kept,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert load_plain(kept)["closed_epoch"] == 1
    toy.build(tmp_path / "run", epochs=3)[0].run()
    assert toy.fingerprint(tmp_path / "run") == toy.fingerprint(tmp_path / "whole")
    counted("training faults")


def test_a_full_disk_at_the_very_end_spares_the_deployed_weights(toy, tmp_path, monkeypatch, counted):
    from ganglion.engines.handlers import checkpoint

    model = tmp_path / "models" / "model.pt"
    model.parent.mkdir()
    model.write_bytes(b"former weights")
    trainer, handler = toy.build(tmp_path / "run", epochs=1, deploy_to=model)

    def full(handle):
        raise OSError(28, "No space left on device")

    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: monkeypatch.setattr(handler, "_write_weights", end))
    whole = handler._write_weights

    def end():
        monkeypatch.setattr(checkpoint.os, "fsync", full)
        whole()

    with pytest.raises(StorageError, match="cannot write .*model.pt: No space left on device"):
        trainer.run()
    monkeypatch.undo()
    assert model.read_bytes() == b"former weights"
    assert [file.name for file in model.parent.iterdir()] == ["model.pt"]
    toy.build(tmp_path / "run", epochs=1, deploy_to=model)[0].run()
    assert (tmp_path / "models" / "model.pt.previous").read_bytes() == b"former weights"
    counted("training faults")


def test_resume_off_refuses_a_used_folder(toy, tmp_path):
    toy.build(tmp_path, epochs=1)[0].run()
    with pytest.raises(InputError, match="holds a run already"):
        toy.build(tmp_path, epochs=2, resume=False)[0].run()


def test_without_a_folder_rounds_of_federated_learning_go_on(toy, tmp_path):
    """MonaiAlgo raises max_epochs and runs the same trainer again, with weights of its own choosing."""
    trainer, _ = toy.build(None, epochs=1)
    trainer.run()
    trainer.state.max_epochs = trainer.state.epoch + 1
    trainer.run()
    assert (trainer.state.epoch, trainer.state.iteration) == (2, 6)
    assert list(tmp_path.iterdir()) == []


def test_signals_are_given_back(toy, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    toy.build(tmp_path, epochs=1)[0].run()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_curves_are_written(toy, tmp_path):
    trainer, handler = toy.build(tmp_path, epochs=2)
    handler.tensorboard, handler.log_every = True, 1
    trainer.run()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    assert [point.step for point in curves.Scalars("epoch/val/score")] == [3, 6]
    assert len(curves.Scalars("iteration/critic/loss")) == 6


def test_it_belongs_to_the_alternating_trainer(toy):
    with pytest.raises(InputError, match="belongs to an AlternatingTrainer"):
        TrainingRun(None).attach(toy.validator(toy.networks()))


def test_a_bar_on_a_terminal_and_lines_in_a_log(toy, tmp_path, capsys, caplog):
    with caplog.at_level("INFO"):
        toy.build(tmp_path / "bar", epochs=1, progress=True)[0].run()
    assert "epoch 1/1:" in capsys.readouterr().err
    toy.build(tmp_path / "log", epochs=1, progress=False)[0].run()
    assert "it/s" not in capsys.readouterr().err
    assert caplog.text.count("epoch 1/1  ") >= 1
