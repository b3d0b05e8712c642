#!/usr/bin/env bash
# The paper's table 10 at small scale: {CNN, + all latents, + selected latents}
# with and without reconstruction, three seeds each, tested on faces with
# occluders of unseen kinds and on clean faces; then the reconstruction of
# stage 3 with and without self-assembly, and of the MAE alone. Needs the first
# three stages: tools/dev/ofer_small.sh. Finished runs are skipped; an
# interrupted one continues.
#
# SEEDS="0 1 2" chooses others; arguments go to tools/train.py, such as --amp.
# The table: work_dirs/ofer_table10/table.md and .json; reconstruction:
# work_dirs/recon_{small_cartoon{,-plain},mae_cartoon}/metrics.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHON=${PYTHON:-python}
OUT=${OUT:-work_dirs/ofer_table10}
SEEDS=${SEEDS:-0 1 2}
BASE=ofer_resnet18_cartoon

for seed in $SEEDS; do
    for config in $BASE{-cnn,-all,}{,-photo}; do
        dir=$OUT/$config/seed$seed
        file=configs/ofer/$config
        [ -f "$dir/clean.json" ] && continue
        "$PYTHON" tools/train.py "$file.py" --work-dir "$dir" --resume \
            --cfg-options randomness.seed="$seed" "$@"
        last=$(cat "$dir/last_checkpoint")
        for kind in occluded clean; do
            tested=$file.py
            [ $kind = clean ] || tested=$file-occluded.py
            "$PYTHON" tools/test.py "$tested" "$last" --work-dir "$dir" \
                --out "$dir/$kind.json" --out-item metrics
        done
    done
done
"$PYTHON" tools/dev/gather_ofer.py "$OUT" --out "$OUT/table"

reconstruct() { # CONFIG, CHECKPOINT
    local dir=work_dirs/$1
    [ -f "$dir/metrics.json" ] && return
    "$PYTHON" tools/test.py "configs/ofer/$1-occluded.py" "$2" --work-dir "$dir" \
        --out "$dir/metrics.json" --out-item metrics
}

plain=recon_small_cartoon-plain
"$PYTHON" tools/train.py configs/ofer/$plain.py --work-dir work_dirs/$plain \
    --resume "$@"
reconstruct $plain "$(cat work_dirs/$plain/last_checkpoint)"
reconstruct recon_mae_cartoon "$(cat work_dirs/recon_small_cartoon/last_checkpoint)"
