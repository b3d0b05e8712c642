"""The command ``mmocc``, called in this process."""

import json
import sys

import pytest
import torch
from conftest import ROOT, import_tool
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torchvision.models import squeezenet1_1

import mmocc
from mmocc import cli
from mmocc.report import named_models
from mmocc.utils import cli as tool_cli
from mmocc.utils import find_config


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Make an installation whose tools do as told; return its ``.mim``."""
    mim = tmp_path / 'site' / 'mmocc' / '.mim'
    for folder in ('tools', 'configs/learn'):
        (mim / folder).mkdir(parents=True)
    (mim / 'configs/learn/a.py').write_text('x = 1')
    (mim / 'tools/train.py').write_text(
        'import sys\n\n\ndef main():\n    print(sys.argv)\n'
    )
    monkeypatch.setattr(find_config, 'PACKAGE', mim.parent)
    return mim


@pytest.mark.parametrize('words', [[], ['--help'], ['-h']])
def test_help_lists_the_commands_in_a_few_lines(words, capsys):
    assert cli.main(words) == 0
    text = capsys.readouterr().out
    for name in ('report', 'train', 'test', 'demo', 'check'):
        assert f'  {name} ' in text
    assert len(text.splitlines()) == 3 + len(cli.COMMANDS)


def test_the_version(capsys):
    assert cli.main(['--version']) == 0
    assert capsys.readouterr().out.strip() == mmocc.__version__


def test_the_words_of_the_shell_are_taken(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['/usr/bin/mmocc', '--version'])
    assert cli.main() == 0
    assert capsys.readouterr().out.strip() == mmocc.__version__


@pytest.mark.parametrize(
    ('word', 'hint'),
    [
        ('raport', 'did you mean report?'),
        ('tests', 'did you mean test?'),
        ('chek', 'did you mean check?'),
        ('xyz', ', '.join(cli.COMMANDS)),
    ],
)
def test_an_unknown_command_suggests_the_nearest(word, hint):
    with pytest.raises(SystemExit) as stop:
        cli.main([word])
    assert stop.value.code == f'mmocc: no command {word}; {hint}'


def test_every_command_has_its_tool():
    for tool, _ in cli.COMMANDS.values():
        assert (find_config.home() / 'tools' / tool).is_file()


def test_an_installed_tool_runs_as_the_program(tools, capsys):
    before = sys.argv
    assert cli.main(['train', 'a.py', '--amp']) == 0
    assert sys.argv is before
    out = capsys.readouterr().out
    assert out == "['mmocc train', 'a.py', '--amp']\n"


@pytest.mark.parametrize(
    ('module', 'extra'), [('torch', 'cls'), ('mmdet', 'det')]
)
def test_a_missing_package_is_named_with_its_extra(
    module, extra, tools, monkeypatch
):
    error = f'raise ModuleNotFoundError("none", name={module!r})'
    (tools / 'tools/train.py').write_text(error)
    with pytest.raises(SystemExit) as stop:
        cli.main(['train'])
    assert f'mmocc train: {module} is not installed' in stop.value.code
    assert f'"mmocc[{extra}]"' in stop.value.code
    assert '\n' not in stop.value.code
    monkeypatch.setenv('MMOCC_TRACEBACK', '1')
    with pytest.raises(ModuleNotFoundError):
        cli.main(['train'])


def test_errors_of_a_command_are_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ('train', 'test w.pth', 'report w.pth --kinds white'):
        name, *rest = command.split()
        with pytest.raises(SystemExit) as stop:
            cli.main([name, 'configs/gone.py', *rest])
        assert 'gone.py' in stop.value.code
        assert '\n' not in stop.value.code


def test_configs_by_the_names_of_an_installation(tools, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = str(tools / 'configs/learn/a.py')
    for name in (
        'learn/a.py', 'learn/a', 'configs/learn/a.py', 'mmocc::learn/a',
    ):  # fmt: skip
        assert find_config.find_config(name) == expected
    assert find_config.find_config('learn/b.py') == 'learn/b.py'
    (tmp_path / 'learn').mkdir()  # a path of the user's own comes first
    (tmp_path / 'learn/a.py').write_text('x = 2')
    assert find_config.find_config('learn/a.py') == 'learn/a.py'


def test_configs_of_this_checkout_and_of_hosts():
    path = find_config.find_config('learn/vgg16_voc.py')
    assert path == str(ROOT / 'configs/learn/vgg16_voc.py')
    cfg = tool_cli.read_config('mmpretrain::resnet/resnet50_8xb32_in1k')
    assert cfg.model.backbone.depth == 50
    with pytest.raises(FileNotFoundError, match='no such config'):
        find_config.find_config('mmpretrain::resnet/resnet51.py')
    for package in ('no_such_package', 'no-name', ''):
        with pytest.raises(SystemExit) as stop:
            tool_cli.read_config(f'{package}::a.py')
        assert 'no package' in stop.value.code


def test_a_report_names_the_command_that_made_it(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mmocc report', 'a b.py', 'w.pth'])
    assert tool_cli.command_line() == "mmocc report 'a b.py' w.pth"
    monkeypatch.setattr(sys, 'argv', ['my tools/x.py'])
    assert tool_cli.command_line() == "python 'my tools/x.py'"


def nested(**dataset):
    inner = dict(type='RepeatDataset', dataset=dict(type='CustomDataset'))
    inner['dataset'].update(dataset)
    return Config(dict(test_dataloader=dict(dataset=inner)))


def test_another_folder_replaces_that_of_the_innermost_data_set(tmp_path):
    cfg = nested(data_root='data/old')
    tool_cli.use_data(cfg, str(tmp_path))
    inner = cfg.test_dataloader.dataset.dataset
    assert inner.data_root == str(tmp_path)
    cfg = nested(data_root='data/coco')
    metric = dict(type='CocoMetric', ann_file='data/coco/annotations/v.json')
    for evaluator in (metric, [metric]):
        cfg.test_evaluator = evaluator
        tool_cli.use_data(cfg, str(tmp_path))
        evaluator = cfg.test_evaluator
        path = evaluator[0] if isinstance(evaluator, list) else evaluator
        assert path.ann_file == str(tmp_path / 'annotations/v.json')
        cfg.test_dataloader.dataset.dataset.data_root = 'data/coco'


def test_a_folder_that_cannot_replace_is_refused_in_one_line(tmp_path):
    cfg = nested(data_root='data/coco')
    cfg.test_evaluator = dict(type='CocoMetric', ann_file='other/v.json')
    joined = Config(
        dict(test_dataloader=dict(dataset=dict(type='C', datasets=[])))
    )
    for config, folder, words in (
        (cfg, tmp_path, 'outside of data_root'),
        (joined, tmp_path, 'joins several'),
        (nested(), tmp_path / 'gone', 'no such folder'),
    ):
        with pytest.raises(SystemExit, match=words) as stop:
            tool_cli.use_data(config, str(folder))
        assert '\n' not in stop.value.code


def test_a_report_on_another_folder(tiny_config, tmp_path, monkeypatch):
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(tiny_config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    (tmp_path / 'images').rename(tmp_path / 'moved')
    (tmp_path / 'moved/dark/1.png').unlink()
    monkeypatch.chdir(tmp_path)
    words = 'report tiny.py w.pth --data moved --kinds white --workers 0'
    assert cli.main([*words.split(), '--out', 'out', '--examples', '0']) == 0
    report = json.loads((tmp_path / 'out/occlusion.json').read_text())
    (summary,) = report['models'].values()
    assert {cell['images'] for cell in summary['cells'].values()} == {3}
    assert f'mmocc {words} --out out' in json.dumps(report)


@pytest.fixture
def photos(tiny_config, tmp_path, monkeypatch):
    """Go to a folder with weights of a SqueezeNet and pictures."""
    torch.manual_seed(0)
    net = squeezenet1_1(num_classes=2)
    torch.save(net.state_dict(), tmp_path / 'w.pth')
    monkeypatch.chdir(tmp_path)
    return tmp_path / 'images'


def report_words(text, *more):
    """Return the words of a small report of models of libraries."""
    words = f'report {text} --kinds white --examples 0 --out out'
    return [*words.split(), *more]


def test_a_report_of_a_model_by_its_name(photos, tiny_config, capsys):
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(tiny_config).model)
    torch.save(model.state_dict(), 'tiny.pth')
    words = report_words(
        'tiny.py tiny.pth --torchvision squeezenet1_1 --data images '
        '--checkpoint squeezenet1_1=w.pth'
    )
    assert cli.main(words) == 0
    report = json.loads((photos.parent / 'out/occlusion.json').read_text())
    assert list(report['models']) == ['tiny', 'squeezenet1_1']
    made = report['meta']
    assert made['command'] == f'mmocc {" ".join(words)}'
    assert 'weights of w.pth, transform: ImageClass' in made['squeezenet1_1']
    page = (photos.parent / 'out/occlusion.html').read_text(encoding='utf-8')
    title = '<h1>What does occlusion cost? tiny, squeezenet1_1</h1>'
    assert title in page
    table = capsys.readouterr().out.split('accuracy, %')[1]
    assert max(map(len, table.splitlines())) <= 100


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('--torchvision resnet51 --data images', 'torchvision has no resnet5'),
        ('--torchvision alexnet', 'need --data FOLDER'),
        ('--torchvision alexnet --data gone', 'gone is not a folder'),
        ('', 'name a model: CONFIG CHECKPOINT, --timm'),
        ('tiny.py', 'give a checkpoint for each config'),
        ('tiny.py w.pth --labels x.csv', 'need --data FOLDER'),
        ('tiny.py w.pth --seeds 1 1', '--seeds must be different'),
        (
            '--torchvision squeezenet1_1 --data images --labels gone.csv',
            'gone.csv',
        ),
        ('--torchvision a --data images --checkpoint b=w', "no model 'b'"),
        ('--torchvision a --data images --task det', 'name classifiers'),
    ],
)
def test_errors_of_names_are_one_line(text, line, photos, monkeypatch, capsys):
    monkeypatch.setattr(
        named_models, '_fetching', lambda *_: lambda _: squeezenet1_1()
    )
    with pytest.raises(SystemExit) as stop:
        cli.main(report_words(text))
    message = stop.value.code
    if message == 2:  # of the parser, after the usage
        message = capsys.readouterr().err.splitlines()[-1]
    assert line in message and '\n' not in message


@pytest.mark.parametrize('network', ['efficientnet-lite0', 'vgg16'])
def test_the_demo_prints_a_small_table(network):
    demo = import_tool(ROOT / 'tools' / 'demo.py')
    configs = demo.NETWORKS[network].configs
    keys = ('L0', 'L1', 'L2', 'L3', 'L1-L3')
    models = {
        name: dict(
            means={key: dict(accuracy=base + i) for i, key in enumerate(keys)}
        )
        for name, base in zip(configs, (50.0, 60.5), strict=True)
    }
    lines = demo.table(dict(models=models)).splitlines()
    assert [line.split()[-5:] for line in lines] == [
        list(keys),
        ['50.0', '51.0', '52.0', '53.0', '54.0'],
        ['60.5', '61.5', '62.5', '63.5', '64.5'],
        ['+10.5'] * 5,
    ]
    assert len({len(line) for line in lines}) == 1
    for path in configs.values():
        assert (ROOT / path).is_file()
