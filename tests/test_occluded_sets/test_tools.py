"""make_cutouts and make_occluded as users start them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from test_datasets.test_occluded_set import tree, write_coco, write_voc

pytest.importorskip('pycocotools', reason='pycocotools reads COCO masks')

CONVERTERS = ROOT / 'tools' / 'dataset_converters'
MAKE = CONVERTERS / 'make_occluded.py'
COCO = ROOT.parent / 'shared' / 'data' / 'coco128_panoptic'


def test_voc_in_voc_out_by_two_processes_and_read_back(
    run_tool, tmp_path, occluder_folders
):
    write_voc(tmp_path / 'voc', num=5)
    banks = (
        *('--texture-bank', occluder_folders['texture_bank']),
        *('--object-bank', occluder_folders['object_bank']),
    )
    command = (MAKE, 'voc', 'voc', 'test', '--out', 'out', *banks)
    result = run_tool(*command, '--workers', '2', '--limit', '4')
    assert result.returncode == 0, result.stderr
    assert 'object_L3            4         8         8' in result.stdout
    check = subprocess.run(
        ['sha256sum', '-c', '--quiet', 'SHA256SUMS'], cwd=tmp_path / 'out'
    )
    assert check.returncode == 0
    reader = pytest.importorskip(
        'mmocc.datasets.voc_objects', reason='needs mmpretrain'
    )
    read = reader.VOCObjects(
        data_root=str(tmp_path / 'out' / 'object_L3'),
        split='test',
        classes=('cat',),
        pipeline=[],
    )
    assert len(read) == 8
    again = run_tool(*command, '--limit', '3')
    assert again.returncode == 1
    assert 'limit (4, now 3)' in again.stderr
    assert 'Traceback' not in again.stderr


def test_coco_in_coco_out_and_mmdet_reads_it(run_tool, tmp_path):
    write_coco(tmp_path)
    result = run_tool(
        *(MAKE, 'coco', 'some.json', 'images', '--out', 'out'),
        *('--kinds', 'white', '--levels', 'L0', 'L3', '--format', 'jpg'),
    )
    assert result.returncode == 0, result.stderr
    assert '1 images have no object' in result.stdout
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


def test_a_killed_run_goes_on(run_tool, tmp_path):
    write_voc(tmp_path / 'voc', num=60)
    options = ('voc', 'voc', 'test', '--kinds', 'noise', '--out')
    assert run_tool(MAKE, *options, 'whole').returncode == 0
    process = subprocess.Popen(
        [sys.executable, str(MAKE), *options, 'broken'],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    records = tmp_path / 'broken' / 'records'
    until = time.time() + 200
    while time.time() < until and not records.is_dir():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / 'broken' / 'manifest.json').exists()
    result = run_tool(MAKE, *options, 'broken', '--workers', '2')
    assert result.returncode == 0, result.stderr
    assert tree(tmp_path / 'whole') == tree(tmp_path / 'broken')


def test_damaged_images_are_listed_without_a_traceback(run_tool, tmp_path):
    write_voc(tmp_path / 'voc')
    (tmp_path / 'voc' / 'JPEGImages' / 'img0.png').write_bytes(b'no image')
    command = (
        *(MAKE, 'voc', 'voc', 'test', '--out', 'out'),
        *('--kinds', 'white', '--levels', 'L1'),
    )
    result = run_tool(*command)
    assert result.returncode == 1
    assert '1 of 3 images cannot be used' in result.stderr
    assert 'img0.png: unreadable image' in result.stderr
    assert 'Traceback' not in result.stderr
    result = run_tool(*command, '--skip-corrupt')
    assert result.returncode == 0
    assert '1 images are left out' in result.stdout


def test_a_missing_bank_is_told_before_anything_is_made(run_tool, tmp_path):
    write_voc(tmp_path / 'voc')
    result = run_tool(MAKE, 'voc', 'voc', 'test', '--out', 'out')
    assert result.returncode == 1
    assert "'texture' needs texture_bank" in result.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.skipif(
    not COCO.is_dir(), reason='the trial data coco128_panoptic is not here'
)
def test_cutouts_of_real_photos_occlude_real_photos(run_tool, tmp_path):
    write_panoptic_things(tmp_path / 'photos.json', num=12)
    images = COCO / 'images' / 'val2017'
    made = run_tool(
        *(CONVERTERS / 'make_cutouts.py', 'photos.json', images),
        *('--out', 'cuts'),
    )
    assert made.returncode == 0, made.stderr
    result = run_tool(
        *(MAKE, 'coco', 'photos.json', images, '--out', 'out'),
        *('--kinds', 'object', '--levels', 'L2', '--limit', '6'),
        *('--object-bank', 'cuts/test'),
    )
    assert result.returncode == 0, result.stderr
    manifest = json.loads((tmp_path / 'out' / 'manifest.json').read_text())
    counts = manifest['cells']['object_L2']
    assert counts['inside'] >= 0.95 * counts['objects']


def write_panoptic_things(path, num):
    """Write the things of some panoptic photos as a COCO json."""
    import numpy as np
    from PIL import Image
    from pycocotools import mask as coco_mask

    root = COCO / 'panoptic_segmentation' / 'annotations'
    document = json.loads((root / 'panoptic_val2017.json').read_text())
    infos = {info['id']: info for info in document['images']}
    things = [c for c in document['categories'] if c['isthing']]
    kept, annotations = [], []
    for entry in document['annotations']:
        info = infos[entry['image_id']]
        photo = COCO / 'images' / 'val2017' / info['file_name']
        masks = root / 'panoptic_val2017' / entry['file_name']
        if len(kept) == num or not (photo.exists() and masks.exists()):
            continue
        kept.append(info)
        colours = np.array(Image.open(masks)).astype(int)
        numbers = colours @ [1, 256, 65536]
        for part in entry['segments_info']:
            if part['category_id'] in {c['id'] for c in things}:
                mask = (numbers == part['id']).astype(np.uint8)
                runs = coco_mask.encode(np.asfortranarray(mask))
                runs['counts'] = runs['counts'].decode()
                note = dict(part, id=len(annotations), image_id=info['id'])
                annotations.append(dict(note, segmentation=runs))
    document = dict(images=kept, annotations=annotations, categories=things)
    path.write_text(json.dumps(document))
