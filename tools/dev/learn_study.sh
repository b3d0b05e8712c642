#!/usr/bin/env bash
# The studies of LEARN in docs/results/learn.md: baseline, LEARN, LEARN inside
# the network, the controls, and the report on all of them.
#
#     tools/dev/learn_study.sh cifar10|cifar10-resnet50|digits
#
# cifar10 needs data/cifar10/{train,test}/CLASS/*.jpg and
# data/occluders/{train,test}/{textures,objects}; digits make their own data.
# cifar10-resnet50, at 64 pixels, is for a GPU. ABLATIONS=1 also leaves out each
# of LEARN's losses in turn for the digits. Finished runs are skipped, an
# interrupted one continues.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
models=() names=()

run() { # NAME CONFIG EPOCHS [CFG_OPTIONS...]
    local dir=work_dirs/$prefix-$1 config=$2 epochs=$3
    local checkpoint=$dir/epoch_$epochs.pth
    names+=("$1")
    models+=("$config" "$checkpoint")
    shift 3
    [ -f "$checkpoint" ] && return
    "$PYTHON" tools/train.py "$config" --amp --resume --work-dir "$dir" \
        ${1:+--cfg-options "$@"}
}

controls() { # EPOCHS
    run has "$C-has.py" "$1"
    run erasing "$C-erasing.py" "$1"
    run cutmix "$C-cutmix.py" "$1"
    run finetune "$C-finetune.py" 4
}

ablations() { # EPOCHS
    for loss in rec intra inter cls; do
        run no-$loss $C.py "$1" model.loss_$loss.loss_weight=0
    done
}

case ${1:-} in
cifar10)
    prefix=resnet18_cifar10 occluders=data/occluders
    C=configs/learn/$prefix
    run baseline $C-baseline.py 30
    controls 30
    run learn $C.py 4
    run learn-layer2 $C-layer2.py 20
    ablations 4
    ;;
cifar10-resnet50)
    prefix=resnet50_cifar10 occluders=data/occluders
    C=configs/learn/$prefix
    run baseline $C-baseline.py 30
    run finetune $C-finetune.py 4
    run learn $C.py 4
    ablations 4
    ;;
digits)
    prefix=vgg16_digits occluders=data/digits_voc/occluders
    C=configs/learn/$prefix
    "$PYTHON" tools/dataset_converters/make_digits_voc.py
    run baseline $C-baseline.py 4
    controls 4
    run learn $C.py 4
    run learn-stage2 $C-stage2.py 10
    [ -z "${ABLATIONS:-}" ] || ablations 4
    ;;
*)
    echo "usage: $0 cifar10|cifar10-resnet50|digits" >&2
    exit 2
    ;;
esac

"$PYTHON" tools/analysis_tools/occlusion_benchmark.py "${models[@]}" \
    --names "${names[@]}" \
    --texture-bank $occluders/test/textures --texture-size 64 \
    --object-bank $occluders/test/objects --amp --out "work_dirs/$prefix-study"
