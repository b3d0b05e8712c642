r"""See in the browser what a network says of partly hidden photos.

Example: mmocc app
  mmocc app --dea CONFIG CHECKPOINT --ofer CONFIG CHECKPOINT
  mmocc app --timm tf_efficientnet_lite0 --learn learn.pt

The networks are those that "mmocc demo" trained in this folder, without LEARN
and with it; else the pretrained EfficientNet-Lite0, if its package is
installed. The page is served to this computer alone, fetches nothing from
outside, and sends nothing anywhere.
"""

import argparse
import os
import sys
from functools import partial
from typing import Any

from mmocc.utils.command import add_trust
from mmocc.utils.hosts import require

CONTENT = (  # nothing from outside; Gradio's own pages have inline scripts
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' "
    "blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; media-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self' data: blob:"
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('--learn', metavar='FILE', help='LEARN that mmocc fit-learn wrote')
    add('--timm', metavar='NAME', help='network of timm, in place of both')
    pair = dict(nargs=2, metavar=('CONFIG', 'CHECKPOINT'))
    add('--dea', help='model of the second tab', **pair)
    add('--ofer', help='model of the third tab', **pair)
    add('--host', default='127.0.0.1', help='default: %(default)s')
    add('--port', type=int, default=7860, help='default: %(default)s')
    add('--device', default='cpu', help='default: %(default)s')
    add_trust(parser)
    return parser.parse_args()


class NothingFromOutside:
    """Tells browsers to fetch nothing from elsewhere, whatever a page says.

    Args:
        app: What answers (ASGI).
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, with the header ``Content-Security-Policy``."""

        async def with_header(message: Any) -> None:
            if message['type'] == 'http.response.start':
                header = b'content-security-policy', CONTENT.encode()
                headers = [*message.get('headers', ()), header]
                message = dict(message, headers=headers)
            await send(message)

        await self.app(scope, receive, with_header)


def make_page(args: argparse.Namespace) -> Any:
    """Load the models, and return the page.

    Raises:
        ValueError: If a model cannot be loaded.
        FileNotFoundError: If a file does not exist.
    """
    from mmocc.app.networks import NoNetworkError, find_networks
    from mmocc.app.page import build

    networks: Any
    try:
        networks = find_networks(args.learn, args.timm, device=args.device)
    except NoNetworkError as error:
        networks = str(error)
    asked = {}
    for name, kind in (
        ('dea', 'DEAInferencer'),
        ('ofer', 'LatentOFERInferencer'),
    ):
        pair = getattr(args, name)
        if not pair:
            continue
        from mmocc import apis
        from mmocc.app import answers

        infer = getattr(apis, kind)(
            *pair, args.device, trust_checkpoint=args.trust_checkpoint
        )
        asked[name] = partial(getattr(answers, f'ask_{name}'), infer)
    return build(networks, **asked)


def launch(page: Any, host: str, port: int, wait: bool = True) -> str:
    """Serve a page; return its address if it is not waited for."""
    from starlette.middleware import Middleware

    from mmocc.app.page import CSS, MAX_MIB, THEME

    _, address, _ = page.queue(default_concurrency_limit=1).launch(
        server_name=host,
        server_port=port,
        share=False,
        prevent_thread_lock=not wait,
        show_error=True,
        quiet=not wait,
        max_file_size=f'{MAX_MIB}mb',
        app_kwargs=dict(middleware=[Middleware(NothingFromOutside)]),
        ssr_mode=False,
        theme=THEME,
        css=CSS,
        footer_links=[],
    )
    return address


def main() -> None:
    """Serve the page until it is interrupted."""
    args = parse_args()
    os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')
    require('mmocc app', 'gradio', 'torch', 'torchvision', 'mmengine', 'mmcv')
    from mmocc.utils.one_line import one_line_errors, one_line_values

    with one_line_errors(), one_line_values():
        page = make_page(args)
    try:
        launch(page, args.host, args.port)
    except OSError as error:  # the port is taken
        sys.exit(f'mmocc app: {error}; choose another --port')
