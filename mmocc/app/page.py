"""The app's page: Gradio around functions of arrays."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from mmocc.app.classifier import Networks, best, map_picture
from mmocc.app.hiding import LARGEST, PLACES, hide_and_seek, occluded
from mmocc.app.photos import (
    MAX_MIB,
    MAX_PIXELS,
    Pixels,
    enlarged,
    read_photo,
    square,
)
from mmocc.occlusion import KINDS

Asked = Callable[[Pixels], Any]
INTRO = """# mmocc
Hide a part of a photo, and see what a network still says. Photos are read on
this computer and go nowhere else."""
LIMITS = f'JPEG, PNG, WebP; up to {MAX_MIB} MiB and {MAX_PIXELS // 10**6} '
LIMITS += 'million pixels'
# In place of fonts that would be fetched.
THEME = gr.themes.Default(
    font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
)
CSS = """
footer { display: none !important; }
.gradio-container { max-width: 1200px !important; margin: 0 auto; }
"""
BUTTONS: Any = ['download', 'fullscreen']


def add_photo(**options: Any) -> gr.Image:
    """Add an upload that the app opens itself, within its limits."""
    sources: Any = ['upload', 'clipboard']
    photo = gr.Image(type='filepath', sources=sources, **options)
    # Gradio's would decode it, whatever its size.
    photo.preprocess = path_of  # type: ignore[method-assign]
    return photo


def picture(label: str, name: str, height: int = 280) -> gr.Image:
    """Return a picture that is shown, not given; ``name`` is its id."""
    return gr.Image(
        label=label,
        interactive=False,
        height=height,
        buttons=BUTTONS,
        elem_id=name,
    )


def path_of(payload: Any) -> str | None:
    """Return the path of an upload."""
    return payload.path if payload else None


def told(work: Callable) -> Callable:
    """Return a function whose ValueError is shown in the page."""

    @wraps(work)
    def shown(*words: Any) -> Any:
        try:
            return work(*words)
        except ValueError as error:
            raise gr.Error(str(error), duration=None, title='') from error

    return shown


@told
def classify(
    networks: Networks,
    path: str | None,
    share: float,
    kind: str,
    place: str,
    seed: float,
) -> list[Any]:
    """Return the hidden photo, the share, and each network's answers."""
    count = 2 * len(networks.classifiers)
    if path is None:
        return [None, '', *[None] * count]
    photo = square(read_photo(path), networks.side, networks.part)
    hidden, exact = occluded(photo, kind, share, place, int(seed or 0))
    outputs: list[Any] = [
        enlarged(hidden),
        f'{100 * exact:.1f} % of the photo is hidden',
    ]
    for classifier in networks.classifiers:
        answer = classifier(hidden)
        outputs.append(best(answer, networks.classes))
        outputs.append(enlarged(map_picture(hidden, answer)))
    return outputs


@told
def seek(
    networks: Networks,
    path: str | None,
    cells: float,
    prob: float,
    seed: float,
) -> tuple[Pixels | None, str]:
    """Return what Hide-and-Seek leaves of a photo, and the hidden share."""
    if path is None:
        return None, ''
    photo = square(read_photo(path), networks.side, networks.part)
    left, share = hide_and_seek(photo, int(cells), prob, int(seed or 0))
    return enlarged(left), f'{100 * share:.1f} % of the photo is hidden'


@told
def ask(work: Asked, path: str | None) -> tuple[list, str, Mapping | None]:
    """Return the pictures, words and scores of an inferencer's answer."""
    if path is None:
        return [], '', None
    shown = work(read_photo(path))
    return list(shown.pictures), shown.words, dict(shown.scores) or None


def files_of(photos: Sequence[Pixels]) -> list[str]:
    """Write photos to begin with to files, as the page wants them."""
    folder = Path(mkdtemp(prefix='mmocc-app-'))
    paths = [folder / f'photo{place + 1}.png' for place in range(len(photos))]
    for photo, path in zip(photos, paths, strict=True):
        Image.fromarray(np.asarray(photo)).save(path)
    return list(map(str, paths))


def build(
    networks: Networks | str,
    dea: Asked | None = None,
    ofer: Asked | None = None,
) -> gr.Blocks:
    """Return the page.

    Args:
        networks: The classifiers that are compared; or, in words, why there
            are none.
        dea: Answers a page, as :func:`mmocc.app.answers.ask_dea` does.
        ofer: Answers a face, as :func:`mmocc.app.answers.ask_ofer` does.
    """
    with gr.Blocks(title='mmocc', analytics_enabled=False) as page:
        gr.Markdown(INTRO)
        with gr.Tab('Classify'):
            if isinstance(networks, str):
                gr.Markdown(networks)
            else:
                add_classify(networks)
        with gr.Tab('DEA: anomalous objects'):
            add_asked(dea, 'a page', 'dea', scores=False)
        with gr.Tab('Latent-OFER: faces'):
            add_asked(ofer, 'a face', 'ofer', scores=True)
    return page


def add_classify(networks: Networks) -> None:
    """Add the controls, and the answers of all networks side by side."""
    gr.Markdown(f'Networks: {networks.words}.')
    examples = files_of(networks.examples)
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            photo = add_photo(
                label='Photo',
                value=examples[0] if examples else None,
                height=280,
                elem_id='photo',
            )
            gr.Markdown(LIMITS)
            if examples:
                gr.Examples(examples, photo, label='Photos to begin with')
            share = gr.Slider(
                0, LARGEST, 0.4, step=0.05, label='Hidden share of the photo'
            )
            kind = gr.Radio(list(KINDS), value='object', label='Hidden by')
            place = gr.Dropdown(list(PLACES), value='middle', label='Where')
            seed = gr.Number(0, label='Seed', precision=0, minimum=0)
            another = gr.Button('Another draw')
        with gr.Column(scale=3, min_width=280):
            hidden = picture('What the networks see', 'seen')
            exact = gr.Markdown(elem_id='share')
            outputs: list[Any] = [hidden, exact]
            with gr.Row():
                for number, network in enumerate(networks.classifiers):
                    with gr.Column(min_width=240):
                        label = gr.Label(
                            label=network.name,
                            num_top_classes=5,
                            elem_id=f'answer{number}',
                        )
                        words = 'Class map (dark red: maximum)'
                        cam = picture(words, f'map{number}', 240)
                    outputs += [label, cam]
    inputs = [photo, share, kind, place, seed]
    work = partial(classify, networks)
    another.click(
        lambda value: int(value or 0) + 1, seed, seed, api_name=False
    )
    with (
        gr.Accordion('What Hide-and-Seek would hide in training', open=True),
        gr.Row(),
    ):
        with gr.Column(scale=2, min_width=280):
            cells = gr.Slider(2, 14, 4, step=1, label='Cells in a row')
            prob = gr.Slider(0, 1, 0.5, step=0.05, label='Probability')
        with gr.Column(scale=3, min_width=280):
            left = picture('What is left', 'left')
            left_share = gr.Markdown(elem_id='left-share')
    also = [photo, cells, prob, seed]
    events = [c.change for c in (photo, kind, place, seed)]
    again = partial(seek, networks)
    page = gr.context.Context.root_block
    gr.on(
        [page.load, *events, share.change],
        work,
        inputs,
        outputs,
        api_name='classify',
        trigger_mode='always_last',
        show_progress='minimal',
    )
    gr.on(
        [page.load, photo.change, seed.change, cells.change, prob.change],
        again,
        also,
        [left, left_share],
        api_name='hide_and_seek',
        trigger_mode='always_last',
        show_progress='minimal',
    )


def add_asked(work: Asked | None, what: str, name: str, scores: bool) -> None:
    """Add a tab that asks an inferencer, or says how to give one."""
    if work is None:
        gr.Markdown(
            f'No model is given. `mmocc app --{name} CONFIG CHECKPOINT` '
            'shows one here; `configs/'
            f'{name}/README.md` says how it is trained.'
        )
        return
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            photo = add_photo(
                label=f'Give {what}', height=280, elem_id=f'{name}-photo'
            )
            gr.Markdown(LIMITS)
            words = gr.Markdown(elem_id=f'{name}-words')
            label = gr.Label(
                label='Expression', visible=scores, elem_id=f'{name}-scores'
            )
        with gr.Column(scale=3, min_width=280):
            gallery = gr.Gallery(
                label='Answer',
                columns=2,
                height='auto',
                object_fit='contain',
                elem_id=f'{name}-pictures',
            )
    photo.change(
        partial(ask, work), photo, [gallery, words, label], api_name=name
    )
