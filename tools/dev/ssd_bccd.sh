#!/usr/bin/env bash
# SSDLite on BCCD with each loss of boxes, three seeds each: AP, AP50, AP75 and
# AP90 of the test images, in work_dirs/ssd_bccd/table.md and .json.
#
# Needs data/bccd (https://github.com/Shenggan/BCCD_Dataset). Finished runs are
# skipped, interrupted ones continue.
#
# WEIGHTS="1 5 10 20" sweeps the weight of the IoU losses without the test
# images: the last quarter of the training list is for testing. Results are in
# work_dirs/ssd_bccd-weights.
#
# SEEDS="0 1 2", LOSSES="l1 eiou" and TRAIN=LIST.txt (in
# data/bccd/ImageSets/Main) choose others; OPTIONS="KEY=VALUE ..." changes the
# config; arguments go to tools/train.py, such as --amp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
WEIGHTS=${WEIGHTS:-}
OUT=${OUT:-work_dirs/ssd_bccd${WEIGHTS:+-weights}}
SEEDS=${SEEDS:-0 1 2}
LOSSES=${LOSSES:-${WEIGHTS:+giou diou eiou}}
LISTS=$PWD/data/bccd/ImageSets/Main
train=$LISTS/${TRAIN:-trainval.txt} test=$LISTS/test.txt
read -ra options <<< "${OPTIONS:-}"

if [ -n "$WEIGHTS" ]; then
    mkdir -p "$OUT"
    OUT=$(cd "$OUT" && pwd)
    fitted=$(($(wc -l < "$train") * 3 / 4))
    head -n $fitted "$train" > "$OUT/train.txt"
    tail -n +$((fitted + 1)) "$train" > "$OUT/test.txt"
    train=$OUT/train.txt test=$OUT/test.txt
fi

run() { # LOSS NAME SEED [CFG_OPTIONS...]
    local config=configs/dea/ssdlite_$1_bccd.py dir=$OUT/ssdlite_$2_bccd/seed$3
    [ -f "$dir/metrics.json" ] && return
    "$PYTHON" tools/train.py "$config" --work-dir "$dir" --resume "${flags[@]}" \
        --cfg-options randomness.seed="$3" "${@:4}" "${options[@]}" \
        train_dataloader.dataset.ann_file="$train" \
        val_dataloader.dataset.ann_file="$test"
    "$PYTHON" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" \
        --work-dir "$dir" --out "$dir/metrics.json" --out-item metrics \
        --cfg-options test_dataloader.dataset.ann_file="$test"
}

flags=("$@")
for seed in $SEEDS; do
    for loss in ${LOSSES:-l1 giou diou eiou}; do
        [ -n "$WEIGHTS" ] || run "$loss" "$loss" "$seed"
        for weight in $WEIGHTS; do
            run "$loss" "$loss-w$weight" "$seed" \
                model.bbox_head.loss_bbox.loss_weight="$weight"
        done
    done
done
"$PYTHON" tools/dev/gather_seeds.py "$OUT" --out "$OUT/table"
