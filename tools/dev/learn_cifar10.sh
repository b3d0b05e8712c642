#!/usr/bin/env bash
# The study of LEARN on CIFAR-10 in docs/results.md: baseline, LEARN, LEARN after
# layer2, the four ablations, the controls, and the report on all of them.
#
# Needs data/cifar10/{train,test}/CLASS/*.jpg and
# data/occluders/{train,test}/{textures,objects}. Runs that are done are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
C=configs/learn/resnet18_cifar10
models=() names=()

run() { # NAME CONFIG EPOCHS [CFG_OPTIONS...]
    local dir=work_dirs/resnet18_cifar10-$1 config=$2 epochs=$3
    local checkpoint=$dir/epoch_$epochs.pth
    names+=("$1")
    models+=("$config" "$checkpoint")
    shift 3
    [ -f "$checkpoint" ] && return
    "$PYTHON" tools/train.py "$config" --amp --resume --work-dir "$dir" \
        ${1:+--cfg-options "$@"}
}

run baseline $C-baseline.py 30
run learn $C.py 4
run learn-layer2 $C-layer2.py 20
run no-rec $C.py 4 model.loss_rec.loss_weight=0
run no-intra $C.py 4 model.loss_intra.loss_weight=0
run no-inter $C.py 4 model.loss_inter.loss_weight=0
run no-cls $C.py 4 model.loss_cls.loss_weight=0
run finetune $C-finetune.py 4
run has $C-has.py 30
run erasing $C-erasing.py 30
run cutmix $C-cutmix.py 30

"$PYTHON" tools/analysis_tools/occlusion_benchmark.py "${models[@]}" \
    --names "${names[@]}" \
    --texture-bank data/occluders/test/textures --texture-size 64 \
    --object-bank data/occluders/test/objects --amp --out work_dirs/learn_cifar10
