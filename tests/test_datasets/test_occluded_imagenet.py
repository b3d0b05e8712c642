"""SMD and ROD on small copies of the layouts that their loaders read."""

import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmocc.registry import DATASETS

module = pytest.importorskip(
    'mmocc.datasets.occluded_imagenet',
    reason='the readers need mmpretrain',
    exc_type=ImportError,
)
SMD, ROD = module.SuperimposedMasked, module.RealisticOcclusion
TENCH, GOLDFISH, TISSUE = 'n01440764', 'n01443537', 'n15075141'
LOAD = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (6, 4), (10, 20, 30)).save(path)


def write_smd(root):
    """Write images as the archives have them: by synset, in any folder."""
    for archive, synset in (('smd_1', TENCH), ('smd_40/val', TISSUE)):
        for number in (7, 8):
            name = f'ILSVRC2012_val_{number:08}_occluded.png'
            save(root / archive / synset / name)
    save(root / 'smd.jpeg')  # of the repository's page: no image of the set
    return root


def write_rod(root):
    """Write one image a class, in two archives, by name and by number."""
    for place, name in enumerate(module.ROD_CLASSES, 1):
        folder = name.title().replace(' ', '_') if place % 2 else str(place)
        save(root / f'rod_{place % 2}' / folder / 'angle 1' / 'IMG_1.JPG')
    return root


def test_smd_has_imagenets_labels_by_synset(tmp_path):
    data = SMD(write_smd(tmp_path))
    assert [sample['gt_label'] for sample in data] == [0, 0, 999, 999]
    assert data[2]['img_id'] == f'{TISSUE}/ILSVRC2012_val_00000007'
    assert data[2]['category'] == TISSUE
    names = data.metainfo['classes']
    assert len(names) == 1000
    assert names[0].startswith('tench') and names[999].startswith('toilet')


def test_smd_and_the_clean_photos_have_the_same_identities(tmp_path):
    clean = tmp_path / 'val'
    for number in (7, 8):
        save(clean / TENCH / f'ILSVRC2012_val_{number:08}.JPEG')
    occluded = SMD(write_smd(tmp_path / 'smd'), categories=[TENCH])
    plain = SMD(clean, occluded=False)
    keys = [[s['photo_identity'] for s in data] for data in (occluded, plain)]
    assert keys[0] == keys[1] and len(keys[0]) == 2


def test_rod_counts_outputs_of_imagenet_or_its_own_classes(tmp_path):
    data = ROD(write_rod(tmp_path))
    assert len(data) == 16
    names = data.metainfo['classes']
    for sample in data:
        words = names[sample['gt_label']].split(', ')
        assert sample['category'] in [word.split(',')[0] for word in words]
    own = ROD(tmp_path, labels='own')
    assert own.metainfo['classes'] == tuple(module.ROD_CLASSES)
    labels = {sample['category']: sample['gt_label'] for sample in own}
    assert labels['banana'] == 0 and labels['vase'] == 15
    assert len(ROD(tmp_path, categories=['cup', 'cowboy hat'])) == 2


def test_the_readers_are_built_from_configs_and_load_images(tmp_path):
    init_default_scope('mmpretrain')
    for kind, write in (
        ('SuperimposedMasked', write_smd),
        ('RealisticOcclusion', write_rod),
    ):
        root = write(tmp_path / kind)
        cfg = dict(type=f'mmocc.{kind}', data_root=str(root), pipeline=LOAD)
        data = DATASETS.build(cfg)
        assert data[0]['inputs'].shape == (3, 4, 6)
        assert str(root) in repr(data)


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none: no such folder; .*40'):
        SMD(tmp_path / 'none')
    save(tmp_path / 'jpg' / TENCH / 'a.jpg')
    with pytest.raises(FileNotFoundError, match=r'no \.png in a folder of'):
        SMD(tmp_path / 'jpg')
    root = write_smd(tmp_path / 'smd')
    with pytest.raises(FileNotFoundError, match=f'folder {GOLDFISH}'):
        SMD(root, categories=[TENCH, GOLDFISH])
    with pytest.raises(ValueError, match='n0 is no synset'):
        SMD(root, categories=['n0'])
    save(root / 'copy' / TENCH / 'ILSVRC2012_val_00000007_occluded.png')
    with pytest.raises(ValueError, match='are both of n01440764/ILSVRC'):
        SMD(root)
    save(root / 'masks' / 'x.png')
    with pytest.raises(ValueError, match=r"x\.png: its folder 'masks' is no"):
        SMD(root)
    rod = write_rod(tmp_path / 'rod')
    (rod / 'rod_0' / '16' / 'angle 1' / 'IMG_1.JPG').unlink()
    with pytest.raises(FileNotFoundError, match='no image of vase; unpack'):
        ROD(rod)
    with pytest.raises(ValueError, match='bowl is no class of banana'):
        ROD(rod, categories=['bowl'])
    with pytest.raises(ValueError, match="unknown labels 'coco'"):
        ROD(rod, labels='coco')
    save(rod / 'loose.png')
    with pytest.raises(ValueError, match=r'loose\.png: no folder above it'):
        ROD(rod)


def test_another_number_of_images_than_published_is_said(
    tmp_path, monkeypatch
):
    lines = []
    monkeypatch.setattr(module, 'note', lines.append)
    ROD(write_rod(tmp_path))
    assert '16 images, but the published set has 1231' in lines[0]
