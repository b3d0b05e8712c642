"""The metafiles, which mim reads, tell what is there and what was measured."""

import re
from collections import Counter

import pytest
from conftest import ROOT

from mmocc.zoo import cards

yaml = pytest.importorskip('yaml')
PAGES = {  # where the numbers of a method are
    'learn': ('results/learn', 'results/learn_voc12', 'zoo'),
    'hide_and_seek': ('results/hide_and_seek',),
    'dea': ('results/dea',),
    'ofer': ('results/ofer',),
}
READMES = sorted((ROOT / 'configs').glob('*/README.md'))


def read(path):
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def metafiles():
    """Return the method and the content of each metafile of the index."""
    index = ROOT / 'model-index.yml'
    if not index.is_file():
        pytest.skip('the index is not there')
    paths = [ROOT / name for name in read(index)['Import']]
    return {path.parent.name: read(path) for path in paths}


def test_the_index_has_every_method_that_has_a_page():
    assert set(metafiles()) == {path.parent.name for path in READMES}


@pytest.mark.parametrize('method', PAGES)
def test_models_name_their_collection_and_a_config_that_is_there(method):
    content = metafiles()[method]
    (collection,) = content['Collections']
    assert (ROOT / collection['README']).is_file()
    assert (ROOT / collection['Code']['URL']).is_dir()
    names = Counter(model['Name'] for model in content['Models'])
    assert max(names.values()) == 1
    for model in content['Models']:
        assert model['In Collection'] == collection['Name']
        config = ROOT / model['Config']
        assert config.is_file(), config
        assert config.stem == model['Name']


@pytest.mark.parametrize('method', PAGES)
def test_every_number_is_on_a_page_of_results(method):
    folder = ROOT / 'docs'
    if not folder.is_dir():
        pytest.skip('docs are not there')
    text = ''.join(
        (folder / f'{page}.md').read_text(encoding='utf-8')
        for page in PAGES[method]
    )
    found = re.findall(r'(?<![\d.])\d+\.\d+', text)
    numbers = {float(number) for number in found}
    for model in metafiles()[method]['Models']:
        for result in model['Results']:
            for metric, value in result['Metrics'].items():
                assert value in numbers, (model['Name'], metric)


def test_weights_are_a_model_of_mmocc_or_none():
    # mim joins its folder and what follows the last slash: nothing, here, so
    # that it finds the folder itself and downloads nothing.
    wanted = {f"mmocc.load('{name}')/" for name in cards()} | {'train it/'}
    for content in metafiles().values():
        assert {model['Weights'] for model in content['Models']} <= wanted
