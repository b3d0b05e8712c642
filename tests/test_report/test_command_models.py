"""The words of the command line become models."""

import argparse

import pytest
from mmengine.config import Config

from mmocc.report import command_models as words


def parse(*arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument('models', nargs='*')
    words.add_named(parser)
    return parser.parse_args(arguments)


def test_models_of_libraries_stay_in_order():
    args = parse('a.py', 'a.pth', '--torchvision', 'b', '--timm', 'c', 'd')
    assert args.models == ['a.py', 'a.pth']
    assert args.named == [('torchvision', 'b'), ('timm', 'c'), ('timm', 'd')]
    assert parse('a.py', 'a.pth').named is None


@pytest.mark.parametrize(
    ('given', 'pairs'),
    [
        (['a.py', 'a.pth'], [('a.py', 'a.pth')]),
        (
            ['learn/a', 'a.pth', 'b.py', 'x'],
            [('learn/a', 'a.pth'), ('b.py', 'x')],
        ),
        (['m::a'], [('m::a', None)]),
        (['m::a', 'm::b', 'w.pth'], [('m::a', None), ('m::b', 'w.pth')]),
        (['m::a', 'c.py', 'w.pth'], [('m::a', None), ('c.py', 'w.pth')]),
        (['m::a', 'https://x/w.pth'], [('m::a', 'https://x/w.pth')]),
        ([], []),
    ],
)
def test_configs_and_their_checkpoints(given, pairs):
    assert words.split_pairs(given) == pairs


def test_a_config_of_ones_own_needs_a_checkpoint():
    with pytest.raises(ValueError, match='give a checkpoint for each config'):
        words.split_pairs(['a.py', 'a.pth', 'b.py'])


def test_weights_of_a_config_that_came_with_a_host():
    pytest.importorskip('mmpretrain')
    name = 'mmpretrain::resnet/resnet50_8xb32_in1k'
    config, checkpoint = words.with_weights((name, None))
    assert config == name and checkpoint.startswith('https://')
    assert 'resnet50' in checkpoint
    assert words.with_weights(('a.py', 'w.pth')) == ('a.py', 'w.pth')


def test_files_of_models():
    files = words.read_checkpoints(['b=x=1.pth'], ['a', 'b'])
    assert files == {'b': 'x=1.pth'}
    for given, message in (
        (['b'], 'NAME=FILE'),
        (['b='], 'NAME=FILE'),
        (['c=x'], "no model 'c'; there are a, b"),
        (['b=x', 'b=y'], 'two files'),
    ):
        with pytest.raises(ValueError, match=message):
            words.read_checkpoints(given, ['a', 'b'])


def test_names_tell_libraries_apart():
    pairs = [('mmpretrain::resnet/resnet50_8xb32_in1k', None), ('x/y.py', '')]
    named = [('timm', 'resnet50'), ('torchvision', 'resnet50'), ('timm', 'v')]
    assert words.model_names(pairs, named) == [
        'resnet50_8xb32_in1k',
        'y',
        'resnet50 (timm)',
        'resnet50 (torchvision)',
        'v',
    ]


def test_a_folder_of_images_is_no_imagenet(tmp_path):
    def config(**data):
        return Config(dict(test_dataloader=dict(dataset=data)))

    (tmp_path / 'val').mkdir()
    imagenet = config(type='ImageNet', split='val')
    assert words.has_own_layout(imagenet, str(tmp_path))
    assert not words.has_own_layout(imagenet, str(tmp_path / 'val'))
    other = config(type='CustomDataset', data_prefix='test')
    assert not words.has_own_layout(other, str(tmp_path))
    assert words.has_own_layout(config(type='CustomDataset'), str(tmp_path))
    assert words.has_own_layout(config(type='VOC', split='x'), str(tmp_path))


def test_names_of_classes_one_a_line(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('cat\n dog \n', encoding='utf-8')
    assert words.read_names(path) == ['cat', 'dog']
    path.write_text('cat\n\ndog\n', encoding='utf-8')
    with pytest.raises(ValueError, match='line 2: no name'):
        words.read_names(path)
    path.write_text('', encoding='utf-8')
    with pytest.raises(ValueError, match='has no name'):
        words.read_names(path)
