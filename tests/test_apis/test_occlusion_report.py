"""Any torch classifier gets the report of the tool, by one call."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.registry import MODELS, init_default_scope
from PIL import Image
from torch import nn
from torch.utils.data import Subset
from torchvision import models as tv_models
from torchvision import transforms as tv
from torchvision.datasets import ImageFolder

import mmocc
from mmocc.datasets.transforms.occlude import Occlude
from mmocc.report import run
from mmocc.report.cells import make_occlude, occlude_dataset
from mmocc.report.torch_images import TorchImages
from mmocc.utils.from_config import build_dataset

CLASSES = ['disc', 'square']
SIDE = 32
TRANSFORM = tv.Compose(
    [
        tv.Resize(40),
        tv.CenterCrop(SIDE),
        tv.ToTensor(),
        tv.Normalize((0.5,) * 3, (0.25,) * 3),
    ]
)


def draw(label: int, number: int) -> Image.Image:
    """Return a picture (50, 60) whose noise tells its class a little."""
    rng = np.random.default_rng([label, number])
    image = rng.integers(0, 200, (50, 60, 3), np.uint8)
    image[10:40, 15:45, label] = 255
    return Image.fromarray(image)


@pytest.fixture
def drawn():
    """Ask for plots, which take most of the time of a small report."""


@pytest.fixture(autouse=True)
def _without_plots(request, monkeypatch):
    """Draw no plots, except for tests that ask for them."""
    if 'drawn' not in request.fixturenames:
        monkeypatch.setattr(run, 'plot_accuracy', lambda *_: None)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder of four pictures of each of two classes."""
    root = tmp_path_factory.mktemp('pictures')
    for label, name in enumerate(CLASSES):
        (root / name).mkdir()
        for number in range(4):
            draw(label, number).save(root / name / f'{number}.png')
    return root


def small_net(seed: int = 0, outputs: int = 2) -> nn.Module:
    """Return a small CNN of random weights."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(outputs),
    )


def built(net: nn.Module) -> nn.Module:
    """Return a net whose lazy layer is made."""
    net(torch.zeros(2, 3, SIDE, SIDE))
    return net


@pytest.fixture
def nets():
    """Return two CNNs by name."""
    return {'a': built(small_net(0)), 'b': built(small_net(1))}


def report_of(models, data, out, **args):
    """Return the report of the white cells."""
    args = dict(transform=TRANSFORM, kinds=['white'], examples=1) | args
    return mmocc.occlusion_report(models, data, out=out, **args)


def plain_loop(net, folder, occlude=None):
    """Return an accuracy in percent, without the engine of the report."""
    hits, net = [], net.eval()
    for path, label in ImageFolder(str(folder)).samples:
        image = tv.Compose(TRANSFORM.transforms[:2])(
            Image.open(path).convert('RGB')
        )
        if occlude:
            sample = dict(
                img=np.array(image),
                img_path=path,
                data_root=str(folder),
                channel_order='rgb',
            )
            image = Image.fromarray(occlude(sample)['img'])
        pixels = tv.Compose(TRANSFORM.transforms[2:])(image)
        with torch.no_grad():
            hits.append(int(net(pixels[None]).argmax()) == label)
    return 100 * np.mean(hits)


def test_accuracies_are_those_of_a_plain_loop(nets, folder, tmp_path):
    report = report_of(nets, folder, tmp_path, batch_size=3, workers=1)
    assert report.measure == 'accuracy'
    for name, net in nets.items():
        clean = plain_loop(net, folder)
        assert report.accuracy('L0', model=name) == pytest.approx(clean)
        for level in ('L1', 'L2', 'L3'):
            hidden = plain_loop(net, folder, Occlude('white', level, seed=0))
            given = report.accuracy(level, 'white', name)
            assert given == pytest.approx(hidden)
    gap = report.accuracy('L2', 'white', 'b')
    gap -= report.accuracy('L2', 'white', 'a')
    versus = report.difference('b', 'a', 'L2', 'white')
    assert versus['difference'] == pytest.approx(gap)
    assert versus['images'] == 8
    assert report.html == tmp_path / 'occlusion.html'
    assert 'What does occlusion cost?' in report.html.read_text('utf-8')
    assert '<td>' in report._repr_html_() and 'a ' in repr(report)
    assert [row['level'] for row in report.rows[:4]] == [
        *('L0', 'L1', 'L2', 'L3')
    ]


def test_all_kinds_run_without_a_folder_of_occluders(nets, folder, tmp_path):
    report = report_of(
        nets, folder, tmp_path, kinds=mmocc.occlusion.KINDS, levels=['L2']
    )
    assert len(report.rows) == 2 * 5
    meta = report.numbers['meta']
    assert meta['texture bank'] == meta['object bank'] == 'builtin:test'


def test_torchvision_models_by_their_own_transform(folder, tmp_path):
    torch.manual_seed(0)
    net = tv_models.resnet18(num_classes=2)
    weights = tv_models.ResNet18_Weights.DEFAULT
    preset = weights.transforms(crop_size=64, resize_size=72)
    report = report_of({'r': net}, folder, tmp_path, transform=preset, every=4)
    assert report.numbers['models']['r']['images'] == 2
    made = report.numbers['meta']['r']
    assert 'crop_size=[64]' in made and 'before it' not in made
    assert net.training


def test_what_is_done_is_read_back(nets, folder, tmp_path, capsys):
    def resumed(**args):
        capsys.readouterr()
        report_of(nets, folder, tmp_path, levels=['L2'], **args)
        return capsys.readouterr().out

    line = r'^(a|b) +L\d'
    assert len(re.findall(line, resumed(), re.MULTILINE)) == 4
    assert not re.findall(line, resumed(batch_size=2), re.MULTILINE)
    nets['b'][0].bias.data += 1
    log = resumed()
    assert len(re.findall(line, log, re.MULTILINE)) == 2
    assert 'the weights have changed' in log
    other = tv.Compose([*TRANSFORM.transforms[:3], tv.Normalize(0.5, 0.5)])
    assert 'the transform has changed' in resumed(transform=other)


def test_pictures_of_any_form_get_the_same_answers(nets, folder, tmp_path):
    files = ImageFolder(str(folder))
    arrays = [(np.array(image), label) for image, label in files]
    planes = [
        (torch.from_numpy(image).permute(2, 0, 1), torch.tensor(label))
        for image, label in arrays
    ]
    cells = [
        report_of(nets, data, tmp_path / str(number), transform=form)
        for number, (data, form) in enumerate(
            [
                ([*files], TRANSFORM),
                (arrays, tv.Compose([tv.ToPILImage(), TRANSFORM])),
                (planes, tv.Compose([tv.ToPILImage(), TRANSFORM])),
            ]
        )
    ]
    rows = [report.rows for report in cells]
    assert rows[0] == rows[1] == rows[2]


def test_a_subset_keeps_its_images(nets, folder, tmp_path):
    files = ImageFolder(str(folder))
    whole = report_of(nets, files, tmp_path / 'whole')
    part = report_of(nets, Subset(files, [6, 1]), tmp_path / 'part')
    for cell, answers in part.answers['a'].items():
        every = whole.answers['a'][cell]
        assert answers.photo.tolist() == ['square/2.png', 'disc/1.png']
        np.testing.assert_array_equal(
            answers.thumbnail, every.thumbnail[[6, 1]]
        )


@pytest.fixture
def of_config(tiny_config, tmp_path):
    """Return an mm config with random weights, and the config."""
    cfg = Config.fromfile(tiny_config)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    weights = MODELS.build(cfg.model).state_dict()
    torch.save(weights, tmp_path / 'a.pth')
    return (tiny_config, tmp_path / 'a.pth'), cfg


def test_models_of_configs_stand_beside_modules(of_config, tmp_path):
    pair, cfg = of_config
    data = Path(cfg.test_dataloader.dataset.data_root)
    net = built(small_net())
    args = dict(levels=['L2'], every=2)
    own = report_of({'m': pair}, None, tmp_path / 'own', **args)
    models = {'m': pair, 'net': net}
    both = report_of(models, data, tmp_path / 'both', **args)
    assert both.rows[:2] == own.rows
    assert [row['model'] for row in both.rows] == ['m', 'm', 'net', 'net']
    with pytest.raises(ValueError, match='whose pipeline reads files'):
        report_of({'m': pair}, [(draw(0, 0), 0)], tmp_path / 'list')


def test_modules_read_mm_data_sets(of_config, tmp_path):
    _, cfg = of_config
    models = {'net': built(small_net())}
    args = dict(levels=['L2'], every=2)
    built_set = build_dataset(cfg)
    mm = report_of(models, built_set, tmp_path / 'mm', **args)
    data = cfg.test_dataloader.dataset.data_root
    assert mm.rows == report_of(models, data, tmp_path / 'own', **args).rows
    joined = ConcatDataset([built_set, built_set])
    with pytest.raises(ValueError, match='wraps mm data sets'):
        report_of(models, joined, tmp_path / 'joined')


class Wrapped(nn.Module):
    """Gives what transformers' models give."""

    def __init__(self, net, key):
        super().__init__()
        self.net, self.key = net, key

    def forward(self, images):
        logits = self.net(images)
        if self.key == 'dict':
            return dict(logits=logits)
        if self.key == 'object':
            return SimpleNamespace(logits=logits)
        return logits.softmax(dim=1) if self.key == 'probabilities' else [1]


def test_logits_come_in_several_forms(nets, folder, tmp_path):
    net = nets['a']
    keys = ('object', 'dict', 'probabilities')
    models = {'plain': net} | {key: Wrapped(net, key) for key in keys}
    report = report_of(models, folder, tmp_path, levels=['L2'])
    for key in keys:
        for cell, answers in report.answers[key].items():
            plain = report.answers['plain'][cell]
            np.testing.assert_array_equal(answers.pred, plain.pred)
            np.testing.assert_allclose(
                answers.confidence, plain.confidence, rtol=1e-5
            )
    with pytest.raises(ValueError, match=r"'x' must give logits \(N, cla"):
        report_of({'x': Wrapped(net, 'list')}, folder, tmp_path)


def test_grey_pictures_and_half_precision(tmp_path):
    data = [(draw(i % 2, i).convert('L'), i % 2) for i in range(4)]
    net = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2))
    steps = tv.Compose(TRANSFORM.transforms[:3])
    report = report_of({'a': net}, data, tmp_path, transform=steps, amp=True)
    assert report.numbers['models']['a']['images'] == 4
    assert not report.numbers['models']['a']['named']
    shares = [a.share.mean() for a in report.answers['a'].values()]
    assert 0.2 <= shares[1] < 0.4 <= shares[2] < 0.6 <= shares[3] < 0.8


def test_a_function_is_not_split(nets, folder, tmp_path, capsys):
    report = report_of(
        {'a': nets['a']}, folder, tmp_path, transform=lambda x: TRANSFORM(x)
    )
    assert 'the photo is occluded before it' in capsys.readouterr().out
    assert 'occluded before it' in report.numbers['meta']['a']
    clean = plain_loop(nets['a'], folder)
    assert report.accuracy('L0') == pytest.approx(clean)
    shares = [a.share.mean() for a in report.answers['a'].values()]
    assert 0.2 <= shares[1] < 0.4 <= shares[2] < 0.6 <= shares[3] < 0.8


def test_without_labels_agreement_is_measured(nets, folder, tmp_path, capsys):
    flat = tmp_path / 'flat'
    flat.mkdir()
    for path in folder.rglob('*.png'):
        (flat / f'{path.parent.name}{path.name}').write_bytes(
            path.read_bytes()
        )
    out = tmp_path / 'out'
    report = report_of(nets, flat, out)
    assert report.measure == 'agreement'
    assert report.accuracy('L0', model='a') == 100
    cells = report.answers['b']
    same = cells['L3 white'].pred == cells['L0'].pred
    given = report.accuracy('L3', model='b')
    assert given == pytest.approx(100 * same.mean())
    assert 'agreement' in report.rows[0]
    assert report.difference('b', 'a', 'L0')['difference'] == 0
    assert 'Agreement' in report.html.read_text('utf-8')
    assert 'agreement' in (out / 'occlusion.md').read_text('utf-8')
    assert 'agreement' in (out / 'occlusion.csv').read_text('utf-8')
    assert json.loads((out / 'occlusion.json').read_text('utf-8'))[
        'measure'
    ] == ('agreement')
    assert 'no labels' in capsys.readouterr().out


def test_folders_are_found_in_the_names_of_the_outputs(folder, tmp_path):
    net = built(small_net(outputs=4))
    with pytest.raises(ValueError, match='4 scores, but there are 2 classes'):
        report_of({'a': net}, folder, tmp_path)
    names = ['square', 'x', 'y', 'disc']
    report = report_of({'a': net}, folder, tmp_path, class_names=names)
    assert report.answers['a']['L0'].label.tolist() == [3] * 4 + [0] * 4


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(models={}), 'models= must be a dict'),
        (dict(models={'a': 'resnet50'}), r"models\['a'\] must be a torch"),
        (dict(kinds='white'), 'kinds= must be a list'),
        (dict(kinds=['fog']), "unknown occluder kind 'fog'"),
        (dict(levels=['L4']), 'choose from'),
        (dict(region='face'), "region='face'"),
        (dict(batch_size=0), 'batch_size= must be'),
        (dict(dataset=None), "dataset= is needed for 'a'"),
        (dict(dataset=[]), 'dataset= has no image'),
        (dict(dataset=[(torch.zeros(3, 8, 8), 0)]), 'give the report the pho'),
        (dict(dataset=[(draw(0, 0), 'cat')]), 'must be one whole number'),
        (dict(dataset=[(draw(0, 0), 7)]), 'has the label 7'),
        (dict(dataset=[(draw(0, 0), -1)]), 'its label is -1'),
        (dict(dataset=[draw(0, 0)]), r'must be \(image, label\)'),
        (dict(class_names=['disc', 'x', 'y']), "the first is 'square'"),
        (dict(transform=tv.PILToTensor()), 'needs a float tensor'),
        (dict(transform=tv.ToTensor()), 'mat1 and mat2|several sizes'),
    ],
)
def test_bad_inputs_are_named(nets, folder, tmp_path, change, message):
    args = dict(models=nets, dataset=folder, out=tmp_path) | change
    models, data = args.pop('models'), args.pop('dataset')
    with pytest.raises((ValueError, RuntimeError), match=message):
        report_of(models, data, **args)


def test_folders_that_cannot_be_read_are_named(nets, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='is not a folder'):
        report_of(nets, tmp_path / 'nowhere', tmp_path)
    mixed = tmp_path / 'mixed'
    (mixed / 'disc').mkdir(parents=True)
    with pytest.raises(ValueError, match='holds no image'):
        report_of(nets, mixed, tmp_path)
    draw(0, 0).save(mixed / 'disc' / '0.png')
    draw(0, 1).save(mixed / '1.png')
    with pytest.raises(ValueError, match='beside folders of images'):
        report_of(nets, mixed, tmp_path)
    (mixed / '1.png').rename(mixed / 'disc' / '1.png')
    (mixed / 'disc' / '2.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match=r'1 image\(s\) cannot be used'):
        report_of({'a': built(small_net(0, 1))}, mixed, tmp_path)


def test_models_are_given_back_as_they_were(nets, folder, tmp_path):
    nets['a'].train()
    nets['a'][1].eval()
    report_of({'a': nets['a']}, folder, tmp_path)
    assert nets['a'].training and not nets['a'][1].training


def test_the_default_transform_is_said(folder, tmp_path, capsys):
    net = nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2)
    )
    report = report_of({'a': net}, folder, tmp_path, transform=None, every=4)
    assert 'No transform= is given' in capsys.readouterr().out
    assert 'not given' in report.numbers['meta']['a']


def test_timm_models_say_their_transform(nets, folder, tmp_path, monkeypatch):
    """With a stand-in for timm: its config and transform are taken."""
    timm, data = ModuleType('timm'), ModuleType('timm.data')
    data.resolve_model_data_config = lambda model: dict(model.pretrained_cfg)
    data.create_transform = lambda input_size, is_training: TRANSFORM
    timm.data = data
    monkeypatch.setitem(sys.modules, 'timm', timm)
    monkeypatch.setitem(sys.modules, 'timm.data', data)
    nets['a'].pretrained_cfg = dict(input_size=(3, SIDE, SIDE))
    report = report_of({'a': nets['a']}, folder, tmp_path, transform=None)
    assert "timm's data config" in report.numbers['meta']['a']


def test_a_table_wants_pandas(nets, folder, tmp_path, monkeypatch):
    report = report_of({'a': nets['a']}, folder, tmp_path)
    monkeypatch.setitem(sys.modules, 'pandas', None)
    with pytest.raises(ImportError, match='pip install pandas'):
        _ = report.table
    pandas = ModuleType('pandas')
    pandas.DataFrame = list
    monkeypatch.setitem(sys.modules, 'pandas', pandas)
    assert report.table == report.rows
    with pytest.raises(ValueError, match="has no 'L2 fog'"):
        report.accuracy('L2', 'fog')
    with pytest.raises(ValueError, match='choose one of'):
        report.accuracy('L2', model='z')


@pytest.fixture
def table(folder, tmp_path):
    """Copy the pictures into one folder; return it and a CSV of labels."""
    flat = tmp_path / 'flat'
    flat.mkdir()
    lines = ['path,label']
    for path in sorted(folder.rglob('*.png')):
        name = f'{path.parent.name}{path.name}'
        (flat / name).write_bytes(path.read_bytes())
        lines.append(f'{name},{path.parent.name}')
    path = tmp_path / 'labels.csv'
    path.write_text('\n'.join(lines), encoding='utf-8')
    return flat, path


def test_labels_may_be_in_a_table(nets, folder, table, tmp_path):
    flat, path = table
    report = report_of(nets, flat, tmp_path / 'a', labels=path, levels=['L2'])
    assert report.measure == 'accuracy'
    for name, net in nets.items():
        clean = plain_loop(net, folder)
        assert report.accuracy('L0', model=name) == pytest.approx(clean)
    assert report.numbers['classes'] == CLASSES
    numbers = {'disc0.png': 1, 'square3.png': 0}
    few = report_of(nets, flat, tmp_path / 'b', labels=numbers, levels=['L2'])
    assert few.answers['a']['L0'].label.tolist() == [1, 0]
    with pytest.raises(ValueError, match='labels= are those of the images'):
        report_of(nets, [(draw(0, 0), 0)], tmp_path / 'c', labels=path)


def test_models_of_configs_read_a_table(of_config, table, tmp_path):
    pair, _ = of_config
    flat, path = table
    net = nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2)
    )
    models = {'m': pair, 'net': net}
    args = dict(labels=path, every=2, transform=tv.ToTensor())
    report = report_of(models, flat, tmp_path / 'out', **args)
    one, two = (report.answers[name]['L2 white'] for name in models)
    assert one.label.tolist() == two.label.tolist() == [0, 0, 1, 1]
    assert one.identity.tolist() == two.identity.tolist()
    assert 'difference' in report.numbers['models']['net']
    bare = report_of({'m': pair}, flat, tmp_path / 'bare', levels=['L1'])
    assert bare.measure == 'agreement'


def test_imagenet_is_known_by_its_folders(folder, tmp_path):
    root = tmp_path / 'wnids'
    for wnid in ('n01443537', 'n03126707'):
        (root / wnid).mkdir(parents=True)
        draw(0, 0).save(root / wnid / '0.png')
    net = built(small_net(outputs=1000))
    args = dict(levels=['L1'], class_names=None)
    report = report_of({'a': net}, root, tmp_path / 'out', **args)
    assert report.answers['a']['L0'].label.tolist() == [1, 517]
    assert report.numbers['classes'][1] == 'goldfish'


def hidden_part(data, level='L2 white', **args):
    """Return the hidden pixels (32, 32) of the first image, its sample."""
    steps = tv.Compose([*TRANSFORM.transforms[:2], tv.ToTensor()])
    images = TorchImages(data, steps)
    occlude = make_occlude(level, seed=0, **args)
    packed = occlude_dataset(images, occlude, level)[0]
    return packed['inputs'].amin(0).numpy() == 1, packed['data_samples']


BOX = [10.0, 10, 40, 40]  # after resizing by 0.8 and cropping: see below
SEEN = (slice(4, 28), slice(0, 24))


@pytest.mark.parametrize(
    'item',
    [
        (0, dict(boxes=torch.tensor([BOX]))),
        (dict(label=0, boxes=np.array([BOX])),),
        (0, [dict(bbox=[10, 10, 30, 30], category_id=3)]),
    ],
)
def test_the_hidden_share_is_of_the_box(item):
    black = Image.new('RGB', (60, 50))
    hidden, sample = hidden_part([(black, *item)])
    assert sample.occlusion_region == 'box'
    share = hidden[SEEN].mean()
    assert 0.4 <= share < 0.6
    assert sample.occlusion_share == pytest.approx(share)
    _, whole = hidden_part([(black, *item)], region='image')
    assert whole.occlusion_region == 'image'
    assert 0.4 <= whole.occlusion_share < 0.6


def test_the_hidden_share_is_of_the_mask():
    mask = np.zeros((1, 50, 60), bool)
    mask[0, 10:40, 10:20] = True
    target = dict(label=1, boxes=torch.tensor([BOX]), masks=mask)
    hidden, sample = hidden_part([(Image.new('RGB', (60, 50)), target)])
    assert sample.occlusion_region == 'mask'
    share = hidden[4:28, 0:8].mean()
    assert 0.4 <= share < 0.6
    assert sample.occlusion_share == pytest.approx(share)
    assert sample.gt_label.tolist() == [1]


def test_a_report_of_targets(nets, tmp_path):
    data = [
        (draw(n % 2, n), n % 2, dict(boxes=torch.tensor([BOX])))
        for n in range(4)
    ]
    report = report_of(nets, data, tmp_path, levels=['L3'])
    cell = report.numbers['models']['a']['cells']['L3 white']
    assert cell['regions'] == {'box': 4}


def test_several_seeds(nets, folder, tmp_path, capsys):
    args = dict(levels=['L2'])
    one, two = (
        report_of(nets, folder, tmp_path / f'seed{s}', seed=s, **args)
        for s in (0, 4)
    )
    out = tmp_path / 'both'
    capsys.readouterr()
    both = report_of(nets, folder, out, seeds=(0, 4), **args)
    lines = capsys.readouterr().out
    assert len(re.findall(r'^(a|b) +L\d', lines, re.MULTILINE)) == 6
    for name in nets:
        values = [r.accuracy('L2', 'white', name) for r in (one, two)]
        given = both.accuracy('L2', 'white', name)
        assert given == pytest.approx(np.mean(values))
        cell = both.numbers['models'][name]['cells']['L2 white']
        spread = np.std(values, ddof=1)
        assert cell['spread'] == pytest.approx(spread, abs=1e-4)
        assert cell['images'] == 8
        clean = both.numbers['models'][name]['cells']['L0']
        assert clean == one.numbers['models'][name]['cells']['L0']
    gain = both.difference('b', 'a', 'L2', 'white')['difference']
    mean = [
        r.difference('b', 'a', 'L2', 'white')['difference'] for r in (one, two)
    ]
    assert gain == pytest.approx(np.mean(mean))
    assert both.rows[1]['spread'] is not None and 'spread' not in one.rows[1]
    assert both.numbers['seeds'] == [0, 4]
    assert '2 seeds (0, 4)' in both.html.read_text('utf-8')
    capsys.readouterr()  # all is read back, by one seed as well
    again = report_of(nets, folder, out, seeds=(0, 4), **args)
    alone = report_of(nets, folder, out, **args)
    assert not re.findall(
        r'^(a|b) +L\d', capsys.readouterr().out, re.MULTILINE
    )
    assert again.rows == both.rows and alone.rows == one.rows
    with pytest.raises(ValueError, match='seeds= must be different'):
        report_of(nets, folder, out, seeds=(1, 1))


def test_agreement_with_several_seeds(nets, folder, table, tmp_path):
    flat, _ = table
    args = dict(levels=['L3'], seeds=(0, 1))
    report = report_of(nets, flat, tmp_path / 'out', **args)
    assert report.measure == 'agreement'
    assert report.accuracy('L0', model='a') == 100


class Broken(list):
    """A data set of which one image cannot be read."""

    def __getitem__(self, index):
        if index == 1:
            raise OSError('image file is truncated')
        return super().__getitem__(index)


def test_images_that_cannot_be_read_are_left_out(nets, folder, tmp_path):
    data = Broken((draw(n % 2, n), n % 2) for n in range(5))
    for path in ('disc/0.png', 'square/2.png'):
        (tmp_path / 'files' / path).parent.mkdir(parents=True, exist_ok=True)
    for number, image in ((0, 'disc'), (2, 'square')):
        draw(0, number).save(tmp_path / f'files/{image}/{number}.png')
    whole = (tmp_path / 'files/disc/0.png').read_bytes()
    (tmp_path / 'files/disc/9.png').write_bytes(whole[: len(whole) // 2])
    for images, name in ((data, 'dataset[1]'), (tmp_path / 'files', '9.png')):
        out = tmp_path / f'out{name}'
        args = dict(levels=['L2'])
        with pytest.raises(ValueError, match='skip_corrupt') as error:
            report_of(nets, images, out, **args)
        assert name in str(error.value)
        report = report_of(nets, images, out, skip_corrupt=True, **args)
        summary = report.numbers['models']['a']
        assert name in summary['unusable'][0]
        assert summary['cells']['L0']['left_out'] == {'corrupt': 1}
        page = report.html.read_text('utf-8')
        assert '1 image(s) of a cannot be used, and are left out' in page
        assert [row['left_out'] for row in report.rows] == [1] * 4


def test_a_table_of_pandas(nets, folder, tmp_path):
    pandas = pytest.importorskip('pandas')
    report = report_of({'a': nets['a']}, folder, tmp_path, levels=['L1'])
    assert isinstance(report.table, pandas.DataFrame)
    assert report.table['accuracy'].tolist() == [
        row['accuracy'] for row in report.rows
    ]


@pytest.mark.usefixtures('drawn')
def test_the_example_of_the_docs_runs(tmp_path, monkeypatch, capsys):
    docs = Path(__file__).resolve().parents[2] / 'docs/benchmark.md'
    [code] = re.findall(
        r'```python\n(import mmocc\n.*?)```',
        docs.read_text('utf-8'),
        re.DOTALL,
    )
    for label, name in enumerate(CLASSES):
        (tmp_path / 'path/to/imagefolder' / name).mkdir(parents=True)
        image = draw(label, 0)
        image.save(tmp_path / 'path/to/imagefolder' / name / '0.png')
    net = nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2)
    )
    monkeypatch.setattr(tv_models, 'resnet50', lambda weights: net)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith('work_dirs/report/occlusion.html')
    assert 'accuracy, %' in printed and '\nresnet50 ' in printed


def test_importing_mmocc_is_light():
    assert not hasattr(mmocc, 'nothing')
    source = Path(mmocc.__file__).read_text(encoding='utf-8')
    assert 'import torch' not in source
