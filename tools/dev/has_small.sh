#!/usr/bin/env bash
# Hide-and-Seek against CAM on what trains in minutes: Tiny ImageNet (24 classes
# of 32 pixels, enlarged) and the digits. Six settings, three seeds each, and the
# table of them all: work_dirs/has_small/table.md and .json.
#
# Needs data/tiny_imagenet32_24c and data/digits_single (docs/localization.md).
# Runs that are done are skipped, one that was interrupted goes on.
#
# SEEDS="0 1 2" and CONFIGS="a.py b.py" choose others; arguments go to
# tools/train.py, such as --amp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
OUT=${OUT:-work_dirs/has_small}
SEEDS=${SEEDS:-0 1 2}
C=configs/hide_and_seek
CONFIGS=${CONFIGS:-$(echo $C/resnet18_*_{tiny-imagenet,digits}.py)}

for seed in $SEEDS; do
    for config in $CONFIGS; do
        dir=$OUT/$(basename "$config" .py)/seed$seed
        [ -f "$dir/metrics.json" ] && continue
        "$PYTHON" tools/train.py "$config" --work-dir "$dir" --resume \
            --cfg-options randomness.seed="$seed" "$@"
        "$PYTHON" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" \
            --work-dir "$dir" --out "$dir/metrics.json" --out-item metrics
    done
done
"$PYTHON" tools/dev/gather_seeds.py "$OUT" --out "$OUT/table"
