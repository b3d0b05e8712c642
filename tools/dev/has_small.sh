#!/usr/bin/env bash
# Hide-and-Seek against CAM on data that trains in minutes: Tiny ImageNet (24
# classes of 32 pixels, enlarged) and the digits. Six settings, three seeds each,
# and one table: work_dirs/has_small/table.md and .json.
#
# Needs data/tiny_imagenet32_24c and data/digits_single (docs/localization.md).
# It skips complete runs and resumes an interrupted one.
#
# SEEDS, SETTINGS and DATA choose others; arguments go to tools/train.py, such
# as --amp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
OUT=${OUT:-work_dirs/has_small}
SEEDS=${SEEDS:-0 1 2}
SETTINGS=${SETTINGS:-cam has4 has8 has12 has16 has-mixed}
DATA=${DATA:-tiny-imagenet digits}

run() {  # seed, setting and data, then arguments of tools/train.py
    local seed=$1 setting=$2 data=$3 file=$2 size=()
    if [[ $setting =~ ^has([0-9]+)$ ]]; then
        file=has-mixed
        size=("data_preprocessor.hide.grid_sizes=(${BASH_REMATCH[1]},)")
    fi
    local config=configs/hide_and_seek/resnet18_${file}_$data.py
    local dir=$OUT/resnet18_${setting}_$data/seed$seed
    [ -f "$dir/metrics.json" ] && return
    "$PYTHON" tools/train.py "$config" --work-dir "$dir" --resume \
        --cfg-options randomness.seed="$seed" "${size[@]}" "${@:4}"
    "$PYTHON" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" \
        --work-dir "$dir" --out "$dir/metrics.json" --out-item metrics
}

for seed in $SEEDS; do
    for data in $DATA; do
        for setting in $SETTINGS; do
            run "$seed" "$setting" "$data" "$@"
        done
    done
done
"$PYTHON" tools/dev/gather_seeds.py "$OUT" --out "$OUT/table"
