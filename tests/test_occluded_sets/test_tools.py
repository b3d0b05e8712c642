"""make_cutouts and make_occluded as users start them."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT
from data_tools import CONVERTERS, run_here, tree
from PIL import Image
from test_occluded_sets.test_writer import write_coco, write_voc

from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.writer import write_occluded

pytest.importorskip('pycocotools', reason='pycocotools reads COCO masks')

COCO = ROOT.parent / 'shared' / 'data' / 'coco128_panoptic'


def test_voc_in_voc_out_by_two_processes_and_read_back(
    run_tool, tmp_path, occluder_folders
):
    write_voc(tmp_path / 'voc', num=5)
    out = tmp_path / 'out'
    options = (
        *('voc', tmp_path / 'voc', 'test', '--out', out),
        *('--texture-bank', occluder_folders['texture_bank']),
        *('--object-bank', occluder_folders['object_bank']),
    )
    tool = CONVERTERS / 'make_occluded.py'
    result = run_tool(tool, *options, '--workers', '2', '--limit', '4')
    assert result.returncode == 0, result.stderr
    assert 'object_L3            4         8         8' in result.stdout
    check = ['sha256sum', '-c', '--quiet', 'SHA256SUMS']
    subprocess.run(check, cwd=out, check=True)
    reader = pytest.importorskip(
        'mmocc.datasets.voc_objects', reason='needs mmpretrain'
    )
    args = str(out / 'object_L3'), 'test'
    assert len(reader.VOCObjects(*args, classes=('cat',), pipeline=[])) == 8
    status, _, errors = run_here('make_occluded', *options, '--limit', '3')
    assert status == 1
    assert 'limit (4, now 3)' in errors


def test_coco_in_coco_out_and_mmdet_reads_it(tmp_path):
    write_coco(tmp_path)
    status, output, errors = run_here(
        *('make_occluded', 'coco', tmp_path / 'some.json'),
        *(tmp_path / 'images', '--out', tmp_path / 'out'),
        *('--kinds', 'white', '--levels', 'L0', 'L3', '--format', 'jpg'),
    )
    assert status == 0, errors
    assert '1 images have no object' in output
    datasets = pytest.importorskip('mmdet.datasets', reason='needs mmdet')
    read = datasets.CocoDataset(
        ann_file='annotations/some.json',
        data_root=str(tmp_path / 'out' / 'white_L3'),
        data_prefix=dict(img='images'),
        metainfo=dict(classes=('cat',)),
        pipeline=[],
        test_mode=True,
    )
    assert len(read) == 2
    info = read.get_data_info(0)
    assert info['img_path'].endswith('images/sub/a.jpg')
    assert len(info['instances']) == 4


def test_a_killed_run_goes_on(tmp_path):
    source = write_voc(tmp_path / 'voc', num=40)
    settings = OccludedSettings(kinds=('noise',))
    write_occluded(source, settings, tmp_path / 'whole')
    broken = tmp_path / 'broken'
    process = subprocess.Popen(
        [
            *(sys.executable, str(CONVERTERS / 'make_occluded.py'), 'voc'),
            *('voc', 'test', '--kinds', 'noise', '--out', 'broken'),
        ],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.time() + 200
    while time.time() < until and not (broken / 'records').is_dir():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / 'manifest.json').exists()
    write_occluded(source, settings, broken)
    assert tree(tmp_path / 'whole') == tree(broken)


def test_errors_are_told_in_a_line_each(tmp_path):
    write_voc(tmp_path / 'voc')
    command = (
        *('make_occluded', 'voc', tmp_path / 'voc', 'test'),
        *('--out', tmp_path / 'out'),
    )
    status, _, errors = run_here(*command)
    assert status == 1
    assert "'texture' needs texture_bank" in errors
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'voc' / 'JPEGImages' / 'img0.png').write_bytes(b'no image')
    command = (*command, '--kinds', 'white', '--levels', 'L1')
    status, _, errors = run_here(*command)
    assert status == 1
    assert '1 of 3 images cannot be used' in errors
    assert 'img0.png: unreadable image' in errors
    status, output, _ = run_here(*command, '--skip-corrupt')
    assert status == 0
    assert '1 images are left out' in output


@pytest.mark.skipif(
    not COCO.is_dir(), reason='the trial data coco128_panoptic is not here'
)
def test_cutouts_of_real_photos_occlude_real_photos(tmp_path):
    photos = tmp_path / 'photos.json'
    write_photos(photos, num=12)
    images = COCO / 'images' / 'val2017'
    status, _, errors = run_here(
        *('make_cutouts', photos, images, '--out', tmp_path / 'cuts')
    )
    assert status == 0, errors
    status, _, errors = run_here(
        *('make_occluded', 'coco', photos, images, '--out', tmp_path / 'out'),
        *('--kinds', 'object', '--levels', 'L2', '--limit', '6'),
        *('--object-bank', tmp_path / 'cuts/test'),
    )
    assert status == 0, errors
    manifest = json.loads((tmp_path / 'out' / 'manifest.json').read_text())
    counts = manifest['cells']['object_L2']
    assert counts['inside'] >= 0.95 * counts['objects']


def write_photos(path, num):
    """Write the polygons of some photos as a COCO json."""
    labels = COCO / 'instance_segmentation/labels/val2017'
    images, notes = [], []
    for number, file in enumerate(sorted(labels.iterdir())[:num]):
        name = f'{file.stem}.jpg'
        size = Image.open(COCO / 'images/val2017' / name).size
        images.append(dict(id=number, file_name=name))
        for line in file.read_text().splitlines():
            points = np.array(line.split()[1:], float).reshape(-1, 2) * size
            note = dict(id=len(notes), image_id=number, category_id=1)
            notes.append(dict(note, segmentation=[points.ravel().tolist()]))
    names = [dict(id=1, name='thing')]
    document = dict(images=images, annotations=notes, categories=names)
    path.write_text(json.dumps(document))
