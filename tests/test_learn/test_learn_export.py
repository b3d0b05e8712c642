"""A classifier with LEARN inside answers the same once it is exported."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip('mmengine')

from mmocc.learn import attach

CLOSE = dict(rtol=0, atol=1e-5)


@pytest.fixture
def handle():
    """Return a small classifier with LEARN, switched on, with a threshold."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, 2, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    ).eval()
    handle = attach(model, '1', example=torch.zeros(1, 3, 32, 32)).eval()
    nn.init.normal_(handle.learn.decoder[-1].bias)  # it changes much
    handle.enabled = True
    handle.requires_grad_(False)
    return handle


@pytest.fixture
def images(handle):
    """Return images of which LEARN repairs some and leaves others alone."""
    from mmocc.learn.attach import change_of

    images = torch.randn(6, 3, 32, 32)
    features = handle.model[:2].cpu()
    with handle.disabled():
        clean = features(images)
    change = change_of(clean, handle.learn.repair(clean)[0])
    handle.threshold = float(change.sort().values[2:4].mean())
    return images


def answers(handle, images):
    """Return the answers, and check that LEARN decides some of them."""
    wanted = handle(images)
    with handle.disabled():
        differs = (handle(images) - wanted).abs().amax(dim=1) > 1e-3
    assert differs.sum() == 3
    return wanted


def test_torchscript_by_tracing_one_image(handle, images):
    wanted = answers(handle, images)
    traced = torch.jit.trace(handle, images[:1])
    torch.testing.assert_close(traced(images), wanted, **CLOSE)


def test_torch_export_for_any_number_of_images(handle, images):
    wanted = answers(handle, images)
    batch = torch.export.Dim('batch', min=1, max=64)
    program = torch.export.export(
        handle, (images[:2],), dynamic_shapes={'args': ({0: batch},)}
    )
    torch.testing.assert_close(program.module()(images), wanted, **CLOSE)


def test_onnx_for_any_number_of_images(handle, images, tmp_path):
    pytest.importorskip('onnxscript')
    runtime = pytest.importorskip('onnxruntime')
    wanted = answers(handle, images)
    path = tmp_path / 'model.onnx'
    batch = torch.export.Dim('batch', min=1, max=64)
    torch.onnx.export(
        handle,
        (images[:2],),
        path,
        dynamo=True,
        dynamic_shapes={'args': ({0: batch},)},
        input_names=['images'],
        output_names=['logits'],
        verbose=False,
    )
    session = runtime.InferenceSession(
        path, providers=['CPUExecutionProvider']
    )
    (logits,) = session.run(None, {'images': images.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), wanted, **CLOSE)


def test_switched_off_it_is_exported_as_the_plain_model(handle, images):
    answers(handle, images)
    plain = copy.deepcopy(handle)
    plain.enabled = False
    traced = torch.jit.trace(plain, images[:1])
    model = plain.remove()
    torch.testing.assert_close(traced(images), model(images), **CLOSE)


def test_a_model_of_mmocc_is_traced_with_learn_inside():
    pytest.importorskip('mmpretrain')
    import mmocc

    model = mmocc.load('learn_efficientnet-lite0_digits')
    model.requires_grad_(False)
    images = torch.randn(3, 3, 112, 112)
    traced = torch.jit.trace(model, images[:1])
    torch.testing.assert_close(traced(images), model(images), **CLOSE)
    plain = mmocc.load('efficientnet-lite0_digits')(images)
    assert (plain - model(images)).abs().max() > 1e-2
