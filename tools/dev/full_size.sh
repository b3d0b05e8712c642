#!/usr/bin/env bash
# Train the four methods at full size, on a GPU. Tables are written to
# work_dirs/full_size, work_dirs/{resnet50_cifar10,vgg16_digits}-study and
# work_dirs/ofer_*.
#
#     tools/dev/full_size.sh speed|learn|ssd|dea|ofer ...
#
# speed  images per second, memory and shares of a step, in float32 and mixed
#        precision, for configs of three methods
# learn  VGG-16 and ResNet-50 with LEARN at 64 pixels, control and ablations
# ssd    SSD300 on the paper's ornament pages, four losses, SEEDS="0 1 2"
# dea    DEA on the same pages, both decoders, and its separation
# ofer   the four stages on RAF-DB
#
# Data: data/cifar10 and data/occluders (configs/learn/README.md), RAF-DB and
# data/face_occluders (docs/faces.md); the rest is made here. Finished runs are
# skipped, interrupted ones continue.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
OUT=${OUT:-work_dirs/full_size}
SEEDS=${SEEDS:-0 1 2}
export PYTHON SEEDS

pages() {
    [ -d data/ornament_pages ] ||
        "$PYTHON" tools/dataset_converters/make_ornament_pages.py \
            --out data/ornament_pages
}

speed() {
    pages
    "$PYTHON" tools/analysis_tools/profile_training.py \
        configs/learn/{vgg16_digits,resnet50_cifar10}.py \
        configs/dea/{dea_detector,dea_conv,dea_fc}_ornament.py \
        configs/ofer/{mae_vit-b,svdd_vit-b,recon_release}_faces.py \
        --out "$OUT/speed.json" | tee "$OUT/speed.md"
}

learn() {
    ABLATIONS=1 tools/dev/learn_study.sh digits
    tools/dev/learn_study.sh cifar10-resnet50
}

ssd() {
    pages
    local config=configs/dea/dea_detector_ornament.py
    local head=model.bbox_head
    declare -A loss=([giou]=GIoU [diou]=DIoU [eiou]=EIoU)
    for seed in $SEEDS; do
        for name in l1 giou diou eiou; do
            local dir=$OUT/ssd300_${name}_ornament/seed$seed
            local options=("$head.loss_bbox.type=mmocc.${loss[$name]:-}Loss")
            [ "$name" != l1 ] ||
                options=("$head.loss_bbox=None" "$head.reg_decoded_bbox=False")
            [ ! -f "$dir/metrics.json" ] || continue
            "$PYTHON" tools/train.py $config --amp --resume --work-dir "$dir" \
                --cfg-options randomness.seed="$seed" "${options[@]}"
            "$PYTHON" tools/test.py $config "$(cat "$dir/last_checkpoint")" \
                --work-dir "$dir" --out "$dir/metrics.json" \
                --out-item metrics --cfg-options "${options[@]}"
        done
    done
    "$PYTHON" tools/dev/gather_seeds.py "$OUT" --out "$OUT/ssd"
}

dea() {
    SUFFIX='' OUT=$OUT/dea SETTINGS='conv:own_level fc:own_level' \
        tools/dev/dea_small.sh --amp
}

ofer() {
    for name in mae_vit-b_faces svdd_vit-b_faces expression_resnet18_faces \
        recon_release_faces ofer_resnet18_rafdb; do
        "$PYTHON" tools/train.py "configs/ofer/$name.py" --amp --resume
    done
}

[ $# -gt 0 ] || set -- none
for part in "$@"; do
    case $part in
    speed | learn | ssd | dea | ofer) ;;
    *)
        echo "usage: $0 speed|learn|ssd|dea|ofer ..." >&2
        exit 2
        ;;
    esac
done
mkdir -p "$OUT"
for part in "$@"; do "$part"; done
