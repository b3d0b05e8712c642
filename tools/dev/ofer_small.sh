#!/usr/bin/env bash
# All four stages of Latent-OFER on the cartoon faces, one after the other:
# data, MAE, detector, the expression network of the reconstructor's loss,
# reconstructor, recognition, and pictures of all stages.
# Finished stages are skipped; an interrupted one continues.
#
# Arguments go to tools/train.py, such as --amp. Results:
# work_dirs/CONFIG/{metrics,metrics-clean}.json and work_dirs/ofer_pictures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
C=configs/ofer

train() { # CONFIG [ARGUMENTS...]
    local dir=work_dirs/$1 config=$C/$1.py
    shift
    [ -f "$dir/done" ] && return
    "$PYTHON" tools/train.py "$config" --work-dir "$dir" --resume "$@"
    touch "$dir/done"
}

test_() { # CONFIG FILE, CONFIG with the checkpoint of its training
    local dir=work_dirs/${1%-occluded} config=$C/$1.py file=$2
    [ -f "$dir/$file" ] && return
    "$PYTHON" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" \
        --work-dir "$dir" --out "$dir/$file" --out-item metrics
}

"$PYTHON" tools/dataset_converters/make_faces.py
train mae_vit-tiny_cartoon "$@"
train svdd_vit-tiny_cartoon "$@"
test_ svdd_vit-tiny_cartoon-occluded metrics.json
test_ svdd_vit-tiny_cartoon metrics-clean.json
train expression_resnet18_cartoon "$@"
train recon_small_cartoon "$@"
test_ recon_small_cartoon-occluded metrics.json
test_ recon_small_cartoon metrics-clean.json
train ofer_resnet18_cartoon "$@"
test_ ofer_resnet18_cartoon-occluded metrics.json
test_ ofer_resnet18_cartoon metrics-clean.json
"$PYTHON" tools/visualization/vis_ofer.py $C/ofer_resnet18_cartoon-occluded.py \
    "$(cat work_dirs/ofer_resnet18_cartoon/last_checkpoint)" --number 8 \
    --out work_dirs/ofer_pictures
