#!/usr/bin/env bash
# DEA on reduced ornament pages: a detector, then decoders with several rules
# for their features, three seeds each. Writes work_dirs/dea_small/table.md and
# .json, and a separation figure for each run.
#
# Makes data/ornament_pages_reduced. Finished runs are skipped, interrupted ones
# continue.
#
# SEEDS="0 1 2" and SETTINGS="conv:size fc:own_level joint:own_level" choose
# others; a setting is DECODER:RULE. OPTIONS="KEY=VALUE ..." changes the
# configs; arguments go to tools/train.py, such as --amp. SUFFIX='' uses the
# configs of the paper's size instead of the reduced ones, for a GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
OUT=${OUT:-work_dirs/dea_small}
SUFFIX=${SUFFIX--reduced}
DATA=data/ornament_pages${SUFFIX//-/_}
SEEDS=${SEEDS:-0 1 2}
SETTINGS=${SETTINGS:-conv:own_level fc:own_level conv:conv4_3 conv:size}
read -ra options <<< "${OPTIONS:-}"
flags=("$@")
# The configs compute only the score that decides; the table has all.
scores='model.judge.scores=("pearson","mse","ssim","latent","confidence","zscore","rank")'

train() { # CONFIG DIR SEED [CFG_OPTIONS...]
    "$PYTHON" tools/train.py "$1" --work-dir "$2" --resume "${flags[@]}" \
        --cfg-options randomness.seed="$3" "${@:4}" "${options[@]}"
}

test_it() { # CONFIG DIR [CFG_OPTIONS...]
    "$PYTHON" tools/test.py "$1" "$(cat "$2/last_checkpoint")" \
        --work-dir "$2" --out "$2/metrics.json" --out-item metrics \
        ${3:+--cfg-options "${@:3}"}
}

detect() { # SEED
    local config=configs/dea/dea_detector_ornament$SUFFIX.py
    [ -f "$detector/metrics.json" ] && return
    train "$config" "$detector" "$1"
    test_it "$config" "$detector"
}

redraw() { # DECODER RULE SEED
    local config=configs/dea/dea_$1_ornament$SUFFIX.py
    local dir=$OUT/dea_$1-${2//_/-}_ornament$SUFFIX/seed$3
    local rule=model.roi_extractor.rule=$2 load=()
    [ -f "$dir/metrics.json" ] && return
    if [ "$1" = joint ]; then
        config=configs/dea/dea_conv_ornament$SUFFIX-joint.py
    else
        load=(load_from="$(cat "$detector/last_checkpoint")")
    fi
    train "$config" "$dir" "$3" "$rule" "${load[@]}"
    test_it "$config" "$dir" "$rule" "$scores" \
        test_evaluator.1.figure="$dir/separation.png"
}

"$PYTHON" tools/dataset_converters/make_ornament_pages.py \
    ${SUFFIX:+--reduced} --out "$DATA"
for seed in $SEEDS; do
    detector=$OUT/detector_diou_ornament$SUFFIX/seed$seed
    detect "$seed"
    for setting in $SETTINGS; do
        redraw "${setting%%:*}" "${setting#*:}" "$seed"
    done
done
"$PYTHON" tools/dev/gather_seeds.py "$OUT" --out "$OUT/table"
