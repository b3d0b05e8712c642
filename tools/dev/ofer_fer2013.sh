#!/usr/bin/env bash
# All four stages of Latent-OFER on FER2013, like ofer_small.sh on cartoon
# faces; and the detector on photos of muxspace and of masked people, if
# data/muxspace_expressions and data/face_mask exist. docs/faces.md names the
# sources of the data; the hands are those of the cartoon faces.
# Finished stages are skipped; an interrupted one continues.
#
# Folders: FER2013, CUTOUTS and MASKS, see below. Arguments go to
# tools/train.py, such as --amp. Results: work_dirs/CONFIG/metrics*.json and
# work_dirs/ofer_pictures_fer2013.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
FER2013=${FER2013:-data/fer2013_raw}
CUTOUTS=${CUTOUTS:-data/cutouts}
MASKS=${MASKS:-data/masktheface}
C=configs/ofer

train() { # CONFIG [ARGUMENTS...]
    local dir=work_dirs/$1 config=$C/$1.py
    shift
    [ -f "$dir/done" ] && return
    "$PYTHON" tools/train.py "$config" --work-dir "$dir" --resume "$@"
    touch "$dir/done"
}

test_() { # CONFIG OF FILE: CONFIG with the checkpoint of OF
    local config=$C/$1.py dir=work_dirs/$2 file=work_dirs/$2/$3
    [ -f "$file" ] && return
    "$PYTHON" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" \
        --work-dir "$dir" --out "$file" --out-item metrics
}

[ -d data/faces ] || "$PYTHON" tools/dataset_converters/make_faces.py
[ -d data/fer2013/occluders/test/hand ] || "$PYTHON" tools/dev/prepare_fer2013.py \
    "$FER2013" "$CUTOUTS" "$MASKS" data/faces/occluders/train/hand
train mae_vit-tiny_fer2013
for set in fer2013 muxspace; do
    [ $set = fer2013 ] || [ -d data/muxspace_expressions ] || continue
    svdd=svdd_vit-tiny_$set
    train $svdd
    test_ $svdd-occluded $svdd metrics.json
    test_ $svdd $svdd metrics-clean.json
    [ -d data/face_mask ] || continue
    test_ svdd_vit-tiny_masked_$set $svdd metrics-masked.json
done
train expression_resnet18_fer2013 "$@"
test_ expression_resnet18_fer2013 expression_resnet18_fer2013 metrics.json
train recon_small_fer2013 "$@"
test_ recon_small_fer2013-occluded recon_small_fer2013 metrics.json
test_ recon_small_fer2013 recon_small_fer2013 metrics-clean.json
train ofer_resnet18_fer2013 "$@"
test_ ofer_resnet18_fer2013-occluded ofer_resnet18_fer2013 metrics.json
test_ ofer_resnet18_fer2013 ofer_resnet18_fer2013 metrics-clean.json
"$PYTHON" tools/visualization/vis_ofer.py \
    $C/ofer_resnet18_fer2013-occluded.py \
    "$(cat work_dirs/ofer_resnet18_fer2013/last_checkpoint)" --number 8 \
    --out work_dirs/ofer_pictures_fer2013
