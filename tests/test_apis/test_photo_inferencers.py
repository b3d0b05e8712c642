"""Photos in, answers out: localization, DEA and Latent-OFER."""

import copy
import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tiny_ofer
import torch
import toy_dea
import toy_localizer
from mmengine.config import Config
from PIL import Image
from test_house import files, imported

from mmocc import apis
from mmocc.apis.photos import UnreadablePhotoError, photo_config
from mmocc.utils.state_dicts import CheckpointError
from mmocc.visualization.localization_pictures import best_iou

PAGE = Path(__file__).resolve().parents[2] / 'docs/inference.md'
KINDS = ('localization', 'dea', 'ofer')
NAMES = ['red kite', 'blue tit']
PASTE = dict(type='mmocc.PasteOcclusion', occluders='no/such/folder')
HIDE = dict(type='mmocc.HideAndSeek', grid_sizes=(16,), hide_prob=1.0)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *args):
        """Log nothing."""


def config(model, scope, steps, pack, **kwargs):
    """Return a config whose test set does not exist."""
    data = dict(
        type='mmocc.FaceFolder',
        data_root='no/such/data',
        pipeline=[dict(type='LoadImageFromFile'), *steps, pack],
    )
    return Config(
        dict(
            default_scope=scope,
            model=copy.deepcopy(model),
            test_dataloader=dict(dataset=data),
            **kwargs,
        )
    )


def save(model, path, **meta):
    """Write a model's checkpoint."""
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def localization(root, **kwargs):
    """Return an inferencer whose test pipeline hides everything."""
    cfg = Config.fromfile(root / 'cam.py')
    wrapped = dict(type='RandomApply', transforms=[dict(HIDE)], prob=1.0)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[-1:-1] = [dict(HIDE), wrapped]
    return apis.LocalizationInferencer(
        cfg, root / 'weights.pth', 'cpu', classes=NAMES, **kwargs
    )


def dea(root):
    """Return an inferencer whose test pipeline reads annotations."""
    meta = dict(dataset_meta=dict(classes=toy_dea.CLASSES))
    weights = save(toy_dea.build(), root / 'dea.pth', **meta)
    steps = [
        dict(type='Resize', scale=(toy_dea.SIDE,) * 2, keep_ratio=False),
        dict(type='mmocc.LoadAnomalyAnnotations'),
    ]
    pack = dict(type='mmocc.PackAnomalyInputs')
    cfg = config(toy_dea.MODEL, 'mmdet', steps, pack)
    return apis.DEAInferencer(cfg, str(weights), 'cpu')


def ofer(root):
    """Return an inferencer whose test pipeline pastes, with a cache."""
    weights = save(tiny_ofer.build(), root / 'ofer.pth')
    model = dict(tiny_ofer.MODEL, cache=str(root / 'cache'))
    steps = [dict(type='Resize', scale=(32, 32)), PASTE]
    cfg = config(model, 'mmpretrain', steps, dict(type='PackInputs'))
    return apis.LatentOFERInferencer(cfg, weights, 'cpu')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Return photos of three sizes, and the three inferencers."""
    root = tmp_path_factory.mktemp('photos')
    toy_localizer.write(root)
    models = dict(localization=localization(root), dea=dea(root))
    models['ofer'] = ofer(root)
    folder = root / 'mine'
    folder.mkdir()
    for index in range(3):
        photo = Image.fromarray(toy_localizer.draw(index + 1))
        photo.save(folder / f'{index}.png')
    return SimpleNamespace(root=root, folder=folder, **models)


def assert_same(one, other):
    """Check that two predictions hold the same, but for the name."""
    assert one.keys() == other.keys()
    for key in one.keys() - {'name'}:
        if isinstance(one[key], str | list):
            assert one[key] == other[key]
        else:
            np.testing.assert_allclose(
                one[key], other[key], rtol=1e-4, atol=1e-3, err_msg=key
            )


def test_a_photo_gives_class_map_and_box(made):
    path = made.folder / '1.png'  # 300 x 500 px, red
    answers = made.localization(path)
    (one,) = answers['predictions']
    assert one['name'] == str(path)
    assert (one['pred_label'], one['pred_class']) == (0, 'red kite')
    assert one['pred_score'] == pytest.approx(one['pred_scores'][0])
    assert one['pred_scores'].sum() == pytest.approx(1)
    assert one['map'].shape == (16, 16)  # of 64 px, halved twice
    assert best_iou(one['boxes'], np.array([toy_localizer.box_of(2)])) > 0.8
    assert answers['visualization'] == answers['skipped'] == []


def test_a_page_gives_objects_redrawings_and_a_map(made):
    (one,) = made.dea(made.folder / '1.png')['predictions']
    count = len(one['boxes'])
    assert count > 0
    assert one['boxes'][:, 2].max() > toy_dea.SIDE  # pixels of the photo
    assert one['reconstructions'].shape[0] == count
    assert one['classes'] == [toy_dea.CLASSES[i] for i in one['labels']]
    assert (one['anomalous'] == (one['anomaly_scores'] > 0.5)).all()
    assert one['anomaly_map'].shape == (300, 500)
    outside = np.ones((300, 500), bool)
    for x1, y1, x2, y2 in one['boxes'].round().astype(int):
        outside[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1] = False
    assert not one['anomaly_map'][outside].any()
    assert 0 < one['anomaly_map'].max() <= 1


def test_a_face_gives_expression_mask_and_reconstruction(made):
    face = tiny_ofer.photos(1)[0]
    array = face.permute(1, 2, 0).numpy()
    (one,) = made.ofer(array)['predictions']
    (sample,) = made.ofer(array, return_datasamples=True)['predictions']
    assert one['name'] == 'image0'
    assert one['mask'].shape == one['distances'].shape == (4, 4)
    assert 0 < one['mask'].sum() < 16
    assert one['mask'].ravel().tolist() == sample.pred_patch_mask.tolist()
    assert one['reconstruction'].shape == (32, 32, 3)
    assert one['pred_label'] == one['pred_scores'].argmax()
    assert 'pred_class' not in one  # neither checkpoint nor data name them
    shown = np.repeat(np.repeat(one['mask'], 8, 0), 8, 1)
    change = np.abs(one['reconstruction'] - array[..., ::-1].astype(float))
    assert change[~shown].max() <= 1  # visible patches stay
    assert change[shown].mean() > 1


@pytest.mark.parametrize('kind', KINDS)
def test_files_folders_and_arrays_in_batches_are_as_alone(made, kind):
    infer = getattr(made, kind)
    paths = sorted(made.folder.iterdir())
    alone = [infer(str(path))['predictions'][0] for path in paths]
    folder = infer(made.folder, batch_size=2)['predictions']
    arrays = [cv2.imread(str(path)) for path in paths]
    bgr = infer(arrays, batch_size=3)['predictions']
    rgb = [array[..., ::-1] for array in arrays]
    mixed = [rgb[0], str(made.folder)]
    mixed = infer(mixed, channel_order='rgb')['predictions']
    assert [one['name'] for one in folder] == list(map(str, paths))
    assert [one['name'] for one in bgr] == ['image0', 'image1', 'image2']
    for got in (folder, bgr, mixed[1:]):
        for one, other in zip(alone, got, strict=True):
            assert_same(one, other)
    assert_same(alone[0], mixed[0])


@pytest.mark.parametrize('kind', KINDS)
def test_the_model_sees_the_photo_and_nothing_on_it(made, kind, monkeypatch):
    infer = getattr(made, kind)
    seen = []
    real = infer.model.test_step

    def look(batch):
        seen.extend(batch['inputs'])
        return real(batch)

    monkeypatch.setattr(infer.model, 'test_step', look)
    side = dict(localization=64, dea=toy_dea.SIDE, ofer=32)[kind]
    path = made.folder / '2.png'
    infer(path)
    photo = cv2.resize(cv2.imread(str(path)), (side, side))
    np.testing.assert_array_equal(seen[0].permute(1, 2, 0).numpy(), photo)
    assert not (made.root / 'cache').exists()


def test_photos_of_different_sizes_share_no_batch(made, monkeypatch):
    infer = made.localization
    keep = [step for step in infer.pipeline.steps if 'Resize' not in str(step)]
    monkeypatch.setattr(infer.pipeline, 'steps', keep)
    sizes = []
    real = infer.model.test_step

    def look(batch):
        sizes.append([tuple(one.shape[1:]) for one in batch['inputs']])
        return real(batch)

    monkeypatch.setattr(infer.model, 'test_step', look)
    photos = [np.zeros((h, 8, 3), np.uint8) for h in (8, 8, 8, 16)]
    assert len(infer(photos, batch_size=2)['predictions']) == 4
    assert sizes == [[(8, 8), (8, 8)], [(8, 8)], [(16, 8)]]


def test_a_photo_is_turned_as_its_header_says(made, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / 'turned.jpg'
    Image.fromarray(toy_localizer.draw(2)).save(path, exif=exif)
    (one,) = made.dea(path)['predictions']
    assert one['anomaly_map'].shape == (500, 300)


@pytest.mark.parametrize('kind', KINDS)
def test_a_bad_file_is_named_and_skipped_only_if_asked(made, kind, tmp_path):
    infer = getattr(made, kind)
    good = (made.folder / '0.png').read_bytes()
    (tmp_path / 'a.png').write_bytes(good)
    (tmp_path / 'b.png').write_bytes(b'not a picture')
    (tmp_path / 'c.png').write_bytes(b'')
    with pytest.raises(UnreadablePhotoError, match=r'b\.png.*skip_corrupt'):
        infer(tmp_path)
    answers = infer(tmp_path, skip_corrupt=True)
    assert [one['name'] for one in answers['predictions']] == [
        str(tmp_path / 'a.png')
    ]
    assert [re.search(r'(\w+\.png)', line)[1] for line in answers['skipped']]
    assert len(answers['skipped']) == 2


@pytest.mark.parametrize(
    ('inputs', 'error', 'message'),
    [
        ('gone.jpg', FileNotFoundError, r'gone\.jpg is no image'),
        (3, TypeError, 'a photo is a path, a URL or an array .* got int'),
        (np.zeros((4, 4, 3)), ValueError, 'image0: .* must be uint8'),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r'shape \(4, 4, 2\)'),
    ],
)
def test_what_is_no_photo_is_an_error(made, inputs, error, message):
    with pytest.raises(error, match=message):
        made.localization(inputs, skip_corrupt=True)


def test_other_calls_are_refused(made):
    with pytest.raises(ValueError, match='batch_size must be 1 or more'):
        made.localization(made.folder, batch_size=0)
    with pytest.raises(ValueError, match="unknown channel_order 'bgra'"):
        made.localization(np.zeros((4, 4), np.uint8), channel_order='bgra')


def test_photos_come_from_urls(made):
    handler = partial(QuietHandler, directory=str(made.folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_address[1]}'
        urls = [f'{url}/1.png', f'{url}/gone.png']
        answers = made.localization(urls, skip_corrupt=True)
        server.shutdown()
    (one,) = answers['predictions']
    assert_same(
        one, made.localization(made.folder / '1.png')['predictions'][0]
    )
    assert 'gone.png' in answers['skipped'][0]


@pytest.mark.parametrize('kind', KINDS)
def test_pictures_are_written_and_returned(made, kind, tmp_path, monkeypatch):
    infer = getattr(made, kind)
    path = made.folder / '0.png'
    out = tmp_path / 'new' / 'folder'
    answers = infer([path, path], out_dir=out, return_vis=True)
    assert [file.name for file in sorted(out.iterdir())] == [
        '000000_0.png', '000001_0.png',
    ]  # fmt: skip
    assert answers['visualization'][0].ndim == 3
    shown = []
    place = 'mmocc.apis.photo_inferencer.show_image'
    monkeypatch.setattr(place, lambda image, title: shown.append(title))
    assert infer(path, show=True)['visualization'] == []
    assert shown == [str(path)]


def test_a_linear_head_of_another_kind_needs_a_method(made):
    cfg = Config.fromfile(made.root / 'plain.py')
    args = (cfg, made.root / 'weights.pth', 'cpu')
    path = made.folder / '0.png'
    plain = apis.LocalizationInferencer(*args, method='cam')
    (one,) = plain(path)['predictions']
    (other,) = made.localization(path)['predictions']
    np.testing.assert_allclose(one['map'], other['map'], rtol=1e-4, atol=1e-5)
    assert one['boxes'].tolist() == other['boxes'].tolist()
    plain.method = None
    with pytest.raises(ValueError, match="gives no 'pred_cam' for"):
        plain(path)


def test_a_pipeline_that_cuts_is_refused(made):
    cfg = Config.fromfile(made.root / 'cam.py')
    crop = dict(type='CenterCrop', crop_size=32)
    cfg.test_dataloader.dataset.pipeline.insert(2, crop)
    with pytest.raises(ValueError, match=r'CenterCrop .* boxes would be'):
        apis.LocalizationInferencer(cfg, made.root / 'weights.pth', 'cpu')


def test_checkpoints_pass_the_one_loader_and_the_guard(
    made, tmp_path, monkeypatch
):
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', raising=False)
    build = partial(
        apis.LocalizationInferencer, made.root / 'cam.py', device='cpu'
    )
    with pytest.raises(FileNotFoundError, match=r'no checkpoint gone\.pth'):
        build('gone.pth')
    torch.save(dict(state_dict=dict(x=torch.ones(1))), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='fills no parameter'):
        build(tmp_path / 'x.pth')
    torch.save(dict(state_dict={}, hook=print), tmp_path / 'code.pth')
    with pytest.raises(CheckpointError, match='trust_checkpoint=True'):
        build(tmp_path / 'code.pth')
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_what_only_training_needs_is_not_built():
    bank = dict(type='mmocc.BatchOccluder', texture_bank='no/such')
    model = dict(
        type='mmocc.LEARNClassifier',
        occluder=bank,
        train_cfg=dict(augments=dict(type='Mixup')),
    )
    pack = dict(type='PackInputs')
    one_of = dict(type='RandomChoice', transforms=[[dict(PASTE)], []])
    steps = [PASTE, one_of, dict(type='LoadAnnotations')]
    cfg = config(model, 'mmpretrain', steps, pack)
    for_photos = photo_config(cfg)
    assert for_photos.model == dict(type='mmocc.LEARNClassifier', train_cfg={})
    kinds = [s['type'] for s in for_photos.test_dataloader.dataset.pipeline]
    assert kinds == ['LoadImageFromFile', 'RandomChoice', 'PackInputs']
    assert len(cfg.test_dataloader.dataset.pipeline) == 5  # as it was


def test_names_are_imported_at_need():
    assert set(apis.__all__) <= set(dir(apis))
    with pytest.raises(AttributeError, match='no name Nothing'):
        _ = apis.Nothing
    for path in files('apis'):  # a classifier needs no mmdet
        assert not [name for name in imported(path) if 'mmdet' in name]


@pytest.mark.skipif(
    not PAGE.exists(), reason='a source distribution has no docs'
)
def test_the_example_of_the_page_runs(made, tmp_path, monkeypatch, capsys):
    code = re.search(r'```python\n(.*?)```', PAGE.read_text('utf-8'), re.S)[1]
    toy_localizer.write(tmp_path)
    (tmp_path / 'cam.py').rename(tmp_path / 'config.py')
    (tmp_path / 'weights.pth').rename(tmp_path / 'checkpoint.pth')
    (tmp_path / 'photos').symlink_to(made.folder)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith('photos/')]
    assert len(told) == 3
    assert told[0].startswith('photos/0.png blue tit [[')
    assert len(list((tmp_path / 'pictures').iterdir())) == 3
