"""A disk that is full when a checkpoint is saved."""

import errno
import os
import resource
import subprocess
from functools import partial
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
pytest.importorskip('mmdet')

import fault_runs
from fault_runs import EPOCHS, train

from mmocc.utils.whole_files import SaveError, WholeFileBackend, write_whole

MEGABYTE = 2**20
HEAVY = 'custom_hooks.2.megabytes=8'  # a checkpoint is a little more


def limit_file_size(number):
    """Let no file of this process become larger."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, hard))


def assert_stopped(log, work, epoch, reason):
    """Check what a full disk leaves, and the one line that it says."""
    path = work / f'epoch_{epoch}.pth'
    line = log.splitlines()[-1]
    assert line.startswith(f'{path} could not be written ({reason})')
    assert f'MiB in {work}, then go on with --resume' in line
    assert 'Traceback' not in log
    assert [p.name for p in work.glob('*.pth*')] == [f'epoch_{epoch - 1}.pth']
    last = Path((work / 'last_checkpoint').read_text())
    assert torch.load(last, weights_only=False)['meta']['epoch'] == epoch - 1


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 14 MiB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=14m', 'tmpfs', str(folder)]
    if not hasattr(os, 'geteuid') or os.geteuid() != 0:
        pytest.skip('only root mounts a file system')
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'no file system can be mounted: {done.stderr}')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path, small_disk):
    fault_runs.write(tmp_path, 'hide_and_seek')
    work = small_disk / 'work'
    run = ('--resume', f'--work-dir={work}')
    log = train(tmp_path, *run, '--cfg-options', HEAVY, code=1)
    assert_stopped(log, work, 2, os.strerror(errno.ENOSPC))
    train(tmp_path, *run)  # light checkpoints find room
    names = [path.name for path in work.glob('*.pth*')]
    assert names == [f'epoch_{EPOCHS}.pth']


def test_a_file_size_limit_is_a_full_disk(tmp_path):
    fault_runs.write(tmp_path, 'hide_and_seek')
    work = tmp_path / 'work'
    train(tmp_path, '--cfg-options', 'train_cfg.max_epochs=1')
    limit = partial(limit_file_size, 4 * MEGABYTE)
    run = ('--resume', f'--work-dir={work}', '--cfg-options', HEAVY)
    log = train(tmp_path, *run, prepare=limit, code=1)
    assert_stopped(log, work, 2, os.strerror(errno.EFBIG))


def test_files_are_written_whole(tmp_path):
    path = tmp_path / 'new' / 'a.bin'
    WholeFileBackend().put(b'first', path)
    write_whole(b'second', path)
    assert path.read_bytes() == b'second'
    assert [p.name for p in path.parent.iterdir()] == ['a.bin']


def test_what_cannot_be_written_is_named(tmp_path):
    path = tmp_path / 'gone' / 'a.bin'
    with pytest.raises(SaveError, match=r'a\.bin could not .*No such file'):
        write_whole(b'', path)
    path = tmp_path / 'folder'
    path.mkdir()
    (path / 'file').touch()
    with pytest.raises(SaveError, match=f'allow writing to {tmp_path}'):
        write_whole(b'', path)
    assert [p.name for p in tmp_path.iterdir()] == ['folder']
