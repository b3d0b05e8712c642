"""Programs in stages: short progress on the screen, everything in the log."""

import pytest

from mmocc.utils.stages import ReportProgress, TrainingProgress, run_stage

TRAIN = (
    '11/29 06:38:43 - mmengine - INFO - Epoch(train) [{}][8/9]  lr: 2.0480e-04'
    '  eta: {}  time: 1.8868  data_time: 0.0231  loss: 2.2772\n'
)
VAL = (
    '11/29 06:38:46 - mmengine - INFO - Epoch(val) [{}][{}/3]    '
    'accuracy/top1: 91.2345  data_time: 0.1252  time: 0.5240\n'
)


def write(path, text):
    path.write_text(text)
    return str(path)


def test_output_goes_to_the_log_and_progress_to_the_screen(tmp_path, capsys):
    tool = write(
        tmp_path / 'tool.py',
        'import sys\n'
        'print("step", sys.argv[1])\n'
        'print("a warning", file=sys.stderr)\n',
    )
    log = tmp_path / 'logs' / 'tool.log'
    for number in '12':
        run_stage(
            'Work',
            [tool, number],
            log,
            lambda line: line.strip() if line.startswith('step') else None,
        )
        assert capsys.readouterr().out == f'Work\n  step {number}\n'
    lines = log.read_text().splitlines()  # the second run is added
    first, second = lines[:3], lines[3:]
    for number, part in (('1', first), ('2', second)):
        assert part[0] == f'$ python {tool} {number}'
        assert sorted(part[1:]) == ['a warning', f'step {number}']


def test_a_failure_shows_the_last_lines_and_names_the_log(tmp_path, capsys):
    tool = write(
        tmp_path / 'tool.py',
        'for i in range(30):\n    print("line", i)\nraise SystemExit("no!")',
    )
    log = tmp_path / 'tool.log'
    with pytest.raises(SystemExit) as stop:
        run_stage('Work', [tool], log)
    assert stop.value.code == f'{tool} failed; the whole log: {log}'
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == 'Work'
    assert lines == [*(f'line {i}' for i in range(11, 30)), 'no!']
    assert 'line 0\n' in log.read_text()


def test_training_tells_each_epoch_with_the_time_left():
    progress = TrainingProgress(epochs=3)
    assert progress(TRAIN.format(1, '0:02:10')) is None
    assert progress(VAL.format(1, 2)) is None
    told = progress(VAL.format(1, 3))
    assert told == 'epoch 1 of 3: accuracy 91.2 %, 0:02:10 left'
    assert progress(TRAIN.format(2, '1 day, 3:02:10')) is None
    told = progress(VAL.format(2, 3))
    assert told == 'epoch 2 of 3: accuracy 91.2 %, 1 day, 3:02:10 left'
    assert progress(VAL.format(3, 3)) == 'epoch 3 of 3: accuracy 91.2 %'


def test_the_report_tells_each_cell_that_all_models_have_finished():
    times = iter([0.0, 50.0, 140.0, 150.0])
    cells = ['L0', 'L1 white', 'L1 object']
    progress = ReportProgress(cells, 2, lambda: next(times))
    assert progress('A                        L0            92.41 %\n') is None
    told = progress('A + B                    L0            93.14 %\n')
    assert told == 'L0: 92.4, 93.1 %, 1:40 left'  # 2 cells of 50 s
    assert progress('A                        L1 white      78.15 %\n') is None
    told = progress('A + B                    L1 white       8.00 %\n')
    assert told == 'L1 white: 78.2, 8.0 %, 1:10 left'  # one of 70 s
    assert progress('anything else 5.0 %\n') is None
    progress('A                        L1 object     78.11 %\n')
    told = progress('A + B                    L1 object      8.00 %\n')
    assert told == 'L1 object: 78.1, 8.0 %'
