"""Put a trained model into mmocc/zoo: half precision, digest, card.

    python tools/dev/pack_model.py CHECKPOINT NAME [NAME ...]

First write the cards mmocc/zoo/NAME.json by the fields of mmocc.zoo.Card. This
writes the file that they name, and its digest into them. CHECKPOINT is of a
run of mmengine, or a file of LEARN alone (``handle.save``), taken as it is.
Then add the model to docs/zoo.md.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from torch import Tensor

from mmocc.utils.own_folder import sha256_of
from mmocc.utils.state_dicts import COUNTERS, read_checkpoint
from mmocc.zoo import FOLDER

ALONE = 'mmocc.learn'  # how the format of LEARN alone begins


def write(checkpoint: Path, target: Path) -> None:
    """Write the weights of a checkpoint in half precision.

    ValueError if a number is not finite in it.
    """
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    if str(content.get('format', '')).startswith(ALONE):
        shutil.copyfile(checkpoint, target)
        return
    content = read_checkpoint(str(checkpoint))
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in content['state_dict'].items()
        if isinstance(value, Tensor) and not name.endswith(COUNTERS)
    }
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f'{name} is not finite in half precision')
    classes = (content['meta'].get('dataset_meta') or {}).get('classes', ())
    meta = dict(dataset_meta=dict(classes=list(classes)))
    torch.save(dict(state_dict=state, meta=meta), target)


def main() -> None:
    """Write the file, and its digest into the cards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('names', nargs='+', metavar='NAME')
    args = parser.parse_args()
    for name in args.names:
        path = FOLDER / f'{name}.json'
        card = json.loads(path.read_text(encoding='utf-8'))
        target = FOLDER / card['file']
        if name == args.names[0]:
            write(args.checkpoint, target)
        digest = card['sha256'] = sha256_of(target)
        text = json.dumps(card, indent=1, ensure_ascii=False)
        path.write_text(f'{text}\n', encoding='utf-8')
        print(f'{path}: {target.stat().st_size / 2**20:.2f} MiB, {digest}')


if __name__ == '__main__':
    main()
