"""The study of losses of boxes, and copies of one exposure."""

import sys

import cv2
import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / 'tools/dev'))

import even_exposure


@pytest.fixture
def study():
    pytest.importorskip('mmdet')
    import ssd_losses

    return ssd_losses


def line(part, value, **job):
    values = dict(AP50=value, AP75=value - 1, AP90=value - 2)
    job = dict(loss='EIoU', rate=1e-3, weight=10.0, steps=300) | job
    return dict(job, data='bccd_voc', part=part, **values)


def test_the_best_of_the_tuning_is_used(study):
    results = [
        line('held', 40.0),
        line('held', 50.0, rate=3e-3),
        line('held', 60.0, loss='GIoU'),
        line('test', 90.0, weight=3.0),
    ]
    assert study.best(results, 'bccd_voc', 'EIoU') == ('EIoU', 3e-3, 10.0)
    with pytest.raises(ValueError, match='DIoU has no tuning on bccd_voc'):
        study.best(results, 'bccd_voc', 'DIoU')


def test_every_loss_is_tried_alike(study):
    tried = {loss: study.settings(loss) for loss in study.LOSSES}
    plain = [(one.rate, one.weight) for one in tried['smooth-L1']]
    assert len(plain) > 1
    ten = [(rate, 10 * weight) for rate, weight in plain]
    for loss in set(tried) - {'smooth-L1'}:
        assert [(one.rate, one.weight) for one in tried[loss]] == ten


def test_table_has_mean_and_deviation_of_the_seeds(study):
    results = [line('test', value, seed=seed) for seed, value in enumerate(
        (50.0, 52.0, 54.0)
    )]  # fmt: skip
    results.append(line('test', 90.0, seed=0, steps=600))
    row = study.table(results, 'bccd_voc', 300).splitlines()[-1]
    cells = ' | '.join(f'{mean}.0 ± 2.0' for mean in (52, 51, 50))
    assert row == f'| EIoU | 0.001 | 10 | 3 | {cells} |'


def test_the_rate_warms_up_and_falls_to_zero(study):
    shares = [study.rate_share(step, 600) for step in (0, 60, 330, 600)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[1] == pytest.approx(0.976, abs=1e-3)
    assert 0.4 < shares[2] < 0.5
    assert shares[3] == pytest.approx(0)


def test_held_back_photos_are_the_last_quarter(study):
    assert study.kept_back(120) == range(90, 120)


@pytest.mark.parametrize(
    ('name', 'cuts'),
    [
        ('bccd_voc', True),
        ('bccd_voc_uncut', False),
        ('voc07_rigid12_crops', False),
    ],
)
def test_photos_of_one_object_are_not_cut(study, name, cuts, tmp_path):
    import ssd_losses_maps

    cfg = ssd_losses_maps.read_config(tmp_path / name)
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert ('MinIoURandomCrop' in steps) == cuts
    assert steps[0] == 'LoadImageFromFile'
    assert {'Expand', 'Resize', 'PackDetInputs'} <= set(steps)


def test_copies_have_one_median_and_their_own_masks(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(60, 120, (8, 8), dtype=np.uint8)
    for name in ('test/bad/1.png', 'ground_truth/bad/1_mask.png'):
        path = tmp_path / 'in' / name
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), photo)
    (tmp_path / 'in/README.md').write_text('text')
    assert even_exposure.copy(tmp_path / 'in', tmp_path / 'out', 200) == 1
    read = [
        cv2.imread(str(tmp_path / 'out' / name), cv2.IMREAD_UNCHANGED)
        for name in ('test/bad/1.png', 'ground_truth/bad/1_mask.png')
    ]
    assert abs(np.median(read[0]) - 200) <= 1
    assert np.array_equal(read[1], photo)
    assert (tmp_path / 'out/README.md').read_text() == 'text'


def test_black_stays_and_white_is_cut_off():
    black = np.zeros((2, 2), np.uint8)
    assert even_exposure.even(black, 200) is black
    image = np.array([[50, 50, 100]], np.uint8)
    assert even_exposure.even(image, 200).tolist() == [[200, 200, 255]]
