"""What a type in a config means, however it is written."""

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS, init_default_scope

from mmocc.models import DEA, LEARN, LatentOFER, LEARNClassifier
from mmocc.utils.config_types import (
    class_name,
    find_class,
    host_of,
    scope_of,
    types_in,
)

PATH = 'mmocc.models.learn.learn.LEARN'


@pytest.mark.parametrize('kind', [LEARN, 'mmocc.LEARN', 'LEARN', PATH])
def test_a_class_has_one_name_however_it_is_written(kind):
    assert class_name(kind) == 'LEARN'


@pytest.mark.parametrize(
    'kind', [LEARN, 'mmocc.LEARN', PATH, 'mmocc.models.LEARN']
)
def test_a_class_is_found_as_the_registry_finds_it(kind):
    init_default_scope('mmpretrain')
    assert find_class(kind) is LEARN


def test_bare_names_belong_to_a_scope():
    hook = find_class('VisualizationHook', HOOKS, 'mmpretrain')
    assert hook.__module__.startswith('mmpretrain.')
    for unknown in ('Nothing', 'mmocc.Nothing', 'mmocc.models.Nothing'):
        assert find_class(unknown) is None


@pytest.mark.parametrize(
    ('model', 'host'),
    [
        (dict(type=LEARNClassifier), 'mmpretrain'),
        (dict(type='mmocc.LatentOFER'), 'mmpretrain'),
        (dict(type=LatentOFER), 'mmpretrain'),
        (dict(type=DEA, backbone=dict(type='mmpretrain.ResNet')), 'mmdet'),
        (dict(type='mmocc.models.dea.dea.DEA'), 'mmdet'),
        (dict(type='mmdet.SSD'), 'mmdet'),
        # Of neither, but what is in it is.
        (dict(type=LEARN, net=dict(type='mmpretrain.VGG')), 'mmpretrain'),
        (dict(type='Own'), None),
    ],
)
def test_the_host_is_that_of_the_model_where_no_scope_tells(model, host):
    for scope in ({}, dict(default_scope=None)):
        assert host_of(Config(dict(scope, model=model))) == host
    other = dict(mmdet='mmpretrain').get(host, 'mmdet')
    cfg = Config(dict(model=model, default_scope=other))
    assert host_of(cfg) == scope_of(cfg) == other
    assert scope_of(Config(dict(model=model)), 'mine') == (host or 'mine')
    own = Config(dict(model=model, default_scope='mmengine'))
    assert (host_of(own), scope_of(own)) == (host, 'mmengine')


def test_types_are_found_in_lists_and_dicts_the_outer_ones_first():
    cfg = dict(a=[dict(x=(dict(type='B'),), type='A')], b=dict(c=1))
    assert list(types_in(cfg)) == ['A', 'B']
