"""A model of the report continues where it stopped, or says why not."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from toy_answers import answers

from mmocc.report.job import UNREADABLE, Job, Settings

CELLS = ['L0', 'L1 white', 'L2 white']
DATA = {'the test images': 'a', 'the annotations': 'b'}


@pytest.fixture
def make_job(tiny_config, tmp_path):
    """Return a function that makes the job of a run of the tool."""
    path = tmp_path / 'a.pth'
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(tiny_config).model)
    torch.save(model.state_dict(), path)

    def make(name='net', **settings):
        settings.setdefault('out', tmp_path / 'out')
        return Job(name, str(tiny_config), str(path), Settings(**settings))

    return make


@pytest.fixture
def done(make_job):
    """Return the job of a run that is done."""
    job = make_job()
    job.load_done(CELLS, DATA, dict(seed=0))
    assert job.cells == {}
    for cell in CELLS:
        job.save(cell, answers([1, 0]), dict(seed=0))
    return job


def resume(make_job, capsys, data=DATA, seed=0, **settings):
    """Return which cells are read back, and what is logged."""
    capsys.readouterr()
    job = make_job(**settings)
    job.load_done(CELLS, data, dict(seed=seed))
    return list(job.cells), capsys.readouterr().out


@pytest.mark.usefixtures('done')
def test_all_is_read_back_if_nothing_has_changed(make_job, capsys):
    cells, log = resume(make_job, capsys)
    assert cells == CELLS
    assert 'not reused' not in log
    cells, _ = resume(make_job, capsys, cfg_options={'work_dir': 'x'})
    assert cells == CELLS


@pytest.mark.usefixtures('done')
def test_the_log_says_which_part_has_changed(make_job, capsys):
    cells, log = resume(make_job, capsys, DATA | {'the test images': 'c'})
    assert cells == []
    assert (
        "net: answers of 'L0', 'L1 white', 'L2 white' are not reused: the "
        'test images have changed' in log
    )
    cells, log = resume(make_job, capsys, seed=1)
    assert cells == ['L0']
    assert "'L1 white', 'L2 white' are not reused: the seed has" in log
    for settings, word in (
        (dict(every=2), '(--every)'),
        (dict(amp=True), '(--amp)'),
        (dict(cfg_options={'model.head.topk': 2}), 'the model'),
    ):
        cells, log = resume(make_job, capsys, **settings)
        assert cells == []
        assert word in log


def test_files_of_another_version_are_computed_again(done, make_job, capsys):
    done.path('L0').write_bytes(b'no archive')
    old = done.path('L1 white')
    np.savez(old, rest=np.array('{"fingerprint": "x"}'), index=np.arange(2))
    done.path('L2 white').write_bytes(b'')
    cells, log = resume(make_job, capsys)
    assert cells == []
    assert f'are not reused: {UNREADABLE}' in log


def test_a_result_of_a_detector_is_read_back_or_computed(make_job, capsys):
    calls = []

    def work(**_):
        calls.append(1)
        return dict(mAP=0.5)

    def detect(data=DATA):
        job = make_job()
        job.ready = lambda: None
        return job.detect('L1 white', work, data)

    for _ in range(2):
        assert detect() == dict(mAP=0.5)
    assert len(calls) == 1
    assert 'not reused' not in capsys.readouterr().out
    detect(DATA | {'the annotations': 'c'})
    assert len(calls) == 2
    assert (
        "net: answers of 'L1 white' are not reused: the annotations have"
        in capsys.readouterr().out
    )
    path = make_job().path('L1 white').with_suffix('.json')
    for text in ('{', '[]', '{"fingerprint": "x", "found": {}}'):
        path.write_text(text, encoding='utf-8')
        detect()
        assert UNREADABLE in capsys.readouterr().out
    assert len(calls) == 5
