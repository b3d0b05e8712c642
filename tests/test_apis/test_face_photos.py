"""Several faces of a photo, and videos: found, aligned, answered, drawn."""

import csv
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tiny_ofer
from conftest import ROOT
from mmengine.config import Config
from test_photo_inferencers import ofer

from mmocc.apis import LatentOFERInferencer, face_detectors
from mmocc.apis.face_answers import write_photos, write_table
from mmocc.apis.face_detectors import FaceDetector, FoundFace, find_detector
from mmocc.apis.face_photos import cut_face
from mmocc.apis.face_videos import is_video, predict_video
from mmocc.datasets.transforms.align_face import TEMPLATE, move_points
from mmocc.visualization.face_pictures import draw_faces, paint_hidden


def points_at(left, top, side):
    """Return five points of an upright face in a square."""
    return np.float32(TEMPLATE) * side + (left, top)


def face_at(left, top, side):
    box = np.float32([left, top, left + side, top + side])
    return FoundFace(box, points_at(left, top, side), 0.9)


class TwoFaces(FaceDetector):
    """Finds the same two faces in each photo, the right one first."""

    def find(self, image):
        """Return squares of 64 and 32 pixels, and one that is too small."""
        scale = max(image.shape[:2]) / 200
        places = ((120, 40, 64), (16, 48, 32), (180, 5, 10))
        return [face_at(*(scale * v for v in place)) for place in places]


def photo(height=150, width=200):
    """Return smooth noise: both squares hold different faces."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (height // 10, width // 10, 3), np.uint8)
    return cv2.resize(small, (width, height))


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('faces')
    plain = ofer(root)
    infer = ofer(root)
    infer.detector = TwoFaces()
    path = root / 'party.png'
    cv2.imwrite(str(path), photo())
    return SimpleNamespace(root=root, plain=plain, infer=infer, path=path)


def test_each_face_is_predicted_as_if_it_were_cut_out(made):
    answers = made.infer(str(made.path), batch_size=2)['predictions']
    assert [one['face'] for one in answers] == [0, 1]  # from the left
    assert [one['box'] for one in answers] == [
        [16, 48, 48, 80],
        [120, 40, 184, 104],
    ]
    assert {one['photo'] for one in answers} == {str(made.path)}
    image = cv2.imread(str(made.path))
    for one, side in zip(answers, (32, 64), strict=True):
        face, _ = cut_face(image, np.float32(one['points']), 224)
        (alone,) = made.plain(face)['predictions']
        assert np.allclose(one['pred_scores'], alone['pred_scores'], atol=2e-3)
        assert np.array_equal(one['mask'], alone['mask'])
        # an upright face of the template is only enlarged
        left, top = (int(v) for v in one['box'][:2])
        crop = image[top : top + side, left : left + side]
        big = cv2.resize(crop, (224, 224)).astype(int)
        assert np.abs(big - face)[16:-16, 16:-16].mean() < 3


def test_a_photo_without_a_face_is_named(made):
    made.infer.detector = lambda image: []
    answers = made.infer([str(made.path)])
    made.infer.detector = TwoFaces()
    assert answers['predictions'] == []
    assert answers['skipped'] == [f'{made.path}: no face was found']


class Spy(TwoFaces):
    """Keeps the shapes of the images that it looks at."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def find(self, image):
        self.shapes.append(image.shape)
        return super().find(image)


def test_large_photos_are_shrunk_for_the_detector_only():
    spy = Spy()
    faces = spy(np.zeros((1500, 2000, 3), np.uint8))
    assert spy.shapes == [(960, 1280, 3)]
    assert np.allclose(faces[0].box, [160, 480, 480, 800], atol=1)
    assert len(faces) == 3  # the third is large enough here


@pytest.mark.parametrize('border', [0.25, 0.0])
def test_a_face_that_fills_the_photo_is_found_within_a_border(border):
    seen = []

    class NeedsRoom(FaceDetector):
        def find(self, image):
            seen.append(image)
            grey = (image == 127).all(axis=2)
            if not grey[0].all():
                return []
            rows, columns = np.nonzero(~grey)
            top, left = rows.min(), columns.min()
            return [face_at(left, top, np.ptp(columns) + 1)]

    faces = NeedsRoom(border=border)(np.zeros((100, 80, 3), np.uint8))
    shapes = [image.shape for image in seen]
    if not border:
        assert (faces, shapes) == ([], [(100, 80, 3)])
        return
    assert shapes == [(100, 80, 3), (150, 130, 3)]
    assert np.allclose(faces[0].box, [0, 0, 80, 80])
    assert np.allclose(faces[0].points, points_at(0, 0, 80))


def test_there_is_no_second_look_where_a_face_was_found():
    spy = Spy()
    assert spy(np.zeros((100, 200, 3), np.uint8))
    assert spy.shapes == [(100, 200, 3)]


def test_points_go_to_their_places_on_the_aligned_face():
    points = points_at(30, 20, 50) @ np.float32([[0.8, 0.6], [-0.6, 0.8]])
    _, matrix = cut_face(photo(), points, 100)
    assert np.allclose(
        move_points(matrix, points), np.multiply(TEMPLATE, 100), atol=1e-3
    )


def test_occluded_patches_are_painted_where_they_are():
    image = np.zeros((100, 100, 3), np.uint8)
    matrix = cut_face(image, points_at(20, 40, 40), 1)[1]
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    painted = paint_hidden(image, mask, matrix).any(axis=2)
    rows, columns = np.nonzero(painted)
    assert (rows.min(), rows.max()) == (50, 60)
    assert (columns.min(), columns.max()) == (40, 50)


def test_tables_and_pictures_are_written(made, tmp_path):
    answers = made.infer(str(made.path), out_dir=tmp_path)['predictions']
    assert write_photos(made.infer, answers, tmp_path) == 1
    write_table(answers, tmp_path / 'faces.csv')
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        '000000_party_0.png',
        '000000_party_1.png',
        '000000_party_faces.png',
        'faces.csv',
    }
    with (tmp_path / 'faces.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['face'] for row in rows] == ['0', '1']
    assert float(rows[1]['right']) == 184
    assert rows[0]['occluded'] == f'{answers[0]["mask"].mean():.4f}'
    drawn = cv2.imread(str(tmp_path / '000000_party_faces.png'))
    wanted = draw_faces(photo()[..., ::-1], answers)
    assert np.array_equal(drawn, wanted[..., ::-1])
    assert (drawn != photo()).any()


def test_a_video_is_answered_frame_by_frame(made, tmp_path):
    path = tmp_path / 'party.avi'
    code = cv2.VideoWriter.fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(path), code, 10.0, (200, 150))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no MJPG')
    for _ in range(5):
        writer.write(photo())
    writer.release()
    out = tmp_path / 'out/party.mp4'
    answers = predict_video(made.infer, str(path), out, every=2)
    assert [one['frame'] for one in answers] == [0, 0, 2, 2, 4, 4]
    assert answers[-1]['time'] == pytest.approx(0.4)
    capture = cv2.VideoCapture(str(out))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    with pytest.raises(FileNotFoundError, match=r'no\.mp4'):
        predict_video(made.infer, 'no.mp4')
    (tmp_path / 'no.mp4').write_text('no video')
    with pytest.raises(ValueError, match='cannot be read'):
        predict_video(made.infer, str(tmp_path / 'no.mp4'))
    assert is_video('a.MP4') and is_video('webcam') and not is_video('a.jpg')


def test_the_config_says_how_faces_are_found(made, monkeypatch):
    cfg = made.root / 'found.py'
    Config(dict(made.plain.cfg._cfg_dict.to_dict(), find_faces='haar')).dump(
        cfg
    )
    infer = LatentOFERInferencer(str(cfg), made.root / 'ofer.pth', 'cpu')
    assert infer.detector.name == 'haar'
    none = LatentOFERInferencer(
        str(cfg), made.root / 'ofer.pth', 'cpu', faces='none'
    )
    assert none.detector is None


def test_the_best_detector_that_is_there_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(
        face_detectors, 'yunet_path', lambda: tmp_path / 'yunet.onnx'
    )
    monkeypatch.setattr(face_detectors, 'find_spec', lambda name: None)
    assert find_detector().name == 'haar'
    assert find_detector()(np.zeros((80, 90, 3), np.uint8)) == []
    with pytest.raises(ModuleNotFoundError, match='--no-deps'):
        find_detector('mtcnn')
    with pytest.raises(FileNotFoundError, match='--face-model'):
        find_detector(model=tmp_path / 'yunet.onnx')
    (tmp_path / 'yunet.onnx').write_bytes(b'no network')
    with pytest.raises(ValueError, match='no YuNet'):
        find_detector()
    with pytest.raises(ValueError, match='auto, yunet, mtcnn, haar'):
        find_detector('dlib')


def test_the_command_writes_all(made, run_tool, tmp_path, monkeypatch):
    """Without a face detector, for photos that are faces."""
    made.plain.cfg.dump(tmp_path / 'config.py')
    tool = ROOT / 'tools/predict.py'
    face = tiny_ofer.photos(1)[0].permute(1, 2, 0).numpy()
    cv2.imwrite(str(tmp_path / 'face.png'), face)
    weights = made.root / 'ofer.pth'
    options = ['--out', 'out', '--device', 'cpu']
    arguments = ['ofer', 'config.py', weights, 'face.png']
    done = run_tool(tool, *arguments, *options)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert len(content['predictions'][0]['pred_scores']) == 7
    table = (tmp_path / 'out/predictions.csv').read_text().splitlines()
    assert len(table) == 2 and table[1].startswith('face.png,,,,,,,')
    done = run_tool(tool, *arguments, 'party.mp4', *options)
    assert 'party.mp4 is a video' in done.stderr + done.stdout
