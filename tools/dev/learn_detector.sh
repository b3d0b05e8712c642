#!/usr/bin/env bash
# LEARN in a detector (docs/results/learn_detector.md): the frozen RetinaNet,
# LEARN in it, the control fine-tuned on the same occlusions, and the report.
#
# Needs data/bccd (https://github.com/Shenggan/BCCD_Dataset) and
# data/occluders/{train,test}/{textures,objects}; another DATA=FOLDER than data
# is possible. SET=voc12 takes data/voc07_rigid12_crops instead: 12 classes of
# VOC, one object a photo. Finished runs are skipped, an interrupted one
# continues.
#
# TRAIN=LIST.txt (in ImageSets/Main), SEED=1, EVERY=2 and KINDS="texture object"
# (of the report) and STEPS="baseline learn finetune report" choose;
# OPTIONS="KEY=VALUE ..." changes all configs; LEARN="KEY=VALUE ..." that of
# LEARN, which NAME tells apart; arguments go to tools/train.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
DATA=${DATA:-data}
SEED=${SEED:-0}
OUT=${OUT:-work_dirs/learn_detector}
NAME=${NAME:-learn}
STEPS=${STEPS:-baseline $NAME finetune report}
C=configs/learn/det_retinanet-lite0_bccd
read -ra options <<< "${OPTIONS:-}"
read -ra changes <<< "${LEARN:-}"
read -ra kinds <<< "${KINDS:-white noise texture object}"
shared=("randomness.seed=$SEED") # of training and report
case ${SET:-bccd} in
bccd) root=$DATA/bccd list=trainval.txt ;;
voc12)
    root=$DATA/voc07_rigid12_crops list=train.txt
    classes="('aeroplane','bicycle','boat','bottle','bus','car','chair',"
    classes+="'diningtable','motorbike','sofa','train','tvmonitor')"
    shared+=(
        model.bbox_head.num_classes=12
        {train,val,test}_dataloader.dataset.metainfo.classes="$classes"
    )
    ;;
*)
    echo "SET is bccd or voc12, not $SET" >&2
    exit 2
    ;;
esac
options+=(
    "${shared[@]}"
    "train_dataloader.dataset.data_root=$root"
    "train_dataloader.dataset.ann_file=ImageSets/Main/${TRAIN:-$list}"
    "val_dataloader.dataset.data_root=$root"
)
banks=(
    "model.occluder.texture_bank=$DATA/occluders/train/textures"
    "model.occluder.object_bank=$DATA/occluders/train/objects"
)
flags=("$@")

run() { # NAME CONFIG [CFG_OPTIONS...]
    local dir=$OUT/$1-seed$SEED
    [ -f "$dir/done" ] && return
    "$PYTHON" tools/train.py "$2" --work-dir "$dir" --resume "${flags[@]}" \
        --cfg-options "${options[@]}" "${@:3}"
    touch "$dir/done"
}

last() { # NAME
    cat "$OUT/$1-seed$SEED/last_checkpoint"
}

for step in $STEPS; do
    case $step in
    baseline) run baseline $C-baseline.py ;;
    finetune)
        run finetune $C-finetune.py "${banks[@]}" "load_from=$(last baseline)"
        ;;
    report)
        "$PYTHON" tools/analysis_tools/occlusion_benchmark.py \
            $C-baseline.py "$(last baseline)" $C.py "$(last "$NAME")" \
            $C-finetune.py "$(last finetune)" \
            --names baseline "$NAME" finetune --data "$root" \
            --texture-bank "$DATA/occluders/test/textures" \
            --object-bank "$DATA/occluders/test/objects" \
            --every "${EVERY:-1}" --kinds "${kinds[@]}" --out "$OUT/report-$NAME-seed$SEED" \
            --cfg-options "${shared[@]}"
        ;;
    *)
        run "$step" $C.py "${banks[@]}" "load_from=$(last baseline)" \
            "${changes[@]}"
        ;;
    esac
done
