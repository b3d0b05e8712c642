#!/usr/bin/env bash
# Hide-and-Seek against CAM on data that trains in minutes: Tiny ImageNet (24
# classes of 32 pixels, enlarged) and the digits (docs/localization.md). Skips
# complete runs, resumes others, and writes work_dirs/has_small/table.md, .json.
# SEEDS, SETTINGS and DATA choose others; arguments go to tools/train.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
OUT=${OUT:-work_dirs/has_small}
SEEDS=${SEEDS:-0 1 2}
SETTINGS=${SETTINGS:-cam has4 has8 has12 has16 has-mixed}
DATA=${DATA:-tiny-imagenet digits}

for seed in $SEEDS; do for data in $DATA; do for setting in $SETTINGS; do
    options=(randomness.seed="$seed") file=$setting
    if [[ $setting =~ ^has([0-9]+)$ ]]; then
        file=has-mixed
        options+=("data_preprocessor.hide.grid_sizes=(${BASH_REMATCH[1]},)")
    fi
    config=configs/hide_and_seek/resnet18_${file}_$data.py
    dir=$OUT/resnet18_${setting}_$data/seed$seed
    [ -f "$dir/metrics.json" ] && continue
    "$PYTHON" tools/train.py "$config" --work-dir "$dir" --resume \
        --cfg-options "${options[@]}" "$@"
    "$PYTHON" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" \
        --work-dir "$dir" --out "$dir/metrics.json" --out-item metrics
done; done; done
"$PYTHON" tools/dev/gather_seeds.py "$OUT" --out "$OUT/table"
