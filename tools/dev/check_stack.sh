#!/usr/bin/env bash
# Run the tests on one set of versions, in a new environment.
#
# Usage: check_stack.sh STACK [pytest arguments]
#   tested    the versions of requirements/tested.txt
#   newest    the same with the newest torch that onedl-mmcv builds with
#   upstream  OpenMMLab's own last releases; Python 3.10 or 3.11
#
# Environment: PYTHON, to make the environment with; FOLDER, to keep it for
# another run; MMOCC_WHEELS, a folder of wheels to prefer; MAX_JOBS, of the
# compiler. The checkout is installed editable.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=${PYTHON:-python3}
STACK=${1:-}
case $STACK in
    tested | newest)
        MMCV=onedl-mmcv
        HOSTS=(-r "$ROOT/requirements/cls.txt" -r "$ROOT/requirements/det.txt")
        ;;
    upstream)
        MMCV=mmcv
        HOSTS=(mmengine mmcv mmpretrain mmdet)
        ;;
    *)
        echo "No stack '$STACK': name tested, newest or upstream" >&2
        exit 2
        ;;
esac
shift
TOO_NEW='import sys; sys.exit(sys.version_info < (3, 12))'
if [ "$STACK" = upstream ] && "$PYTHON" -c "$TOO_NEW"; then
    echo "torch 2.1 has no wheels for $("$PYTHON" -V):" \
        "name a Python 3.10 or 3.11 with PYTHON=..." >&2
    exit 2
fi
if [ -z "${FOLDER:-}" ]; then
    FOLDER=$(mktemp -d)
    trap 'rm -rf "$FOLDER"' EXIT
fi
mkdir -p "$FOLDER/wheels"
FOLDER=$(cd "$FOLDER" && pwd)
MMOCC_WHEELS=${MMOCC_WHEELS:+$(cd "$MMOCC_WHEELS" && pwd)}
cd "$ROOT"
PY=$FOLDER/env/bin/python

# The pins of the stack, and those of tested.txt for all else.
awk -F'[ =<>;]' '/^#/ {next} NR == FNR {named[$1]; print; next}
    !($1 in named)' "requirements/$STACK.txt" requirements/tested.txt \
    > "$FOLDER/constraints.txt"
pip() {  # COMMAND ARGUMENTS...
    "$PY" -m pip --disable-pip-version-check "$1" \
        -c "$FOLDER/constraints.txt" --find-links "$FOLDER/wheels" \
        ${MMOCC_WHEELS:+--find-links "$MMOCC_WHEELS"} "${@:2}"
}

echo "[1/4] torch and build tools of $STACK in $FOLDER"
[ -x "$PY" ] || "$PYTHON" -m venv "$FOLDER/env"
# build.txt's bounds of setuptools are onedl-mmcv's.
pip install -q setuptools wheel packaging ninja psutil torch torchvision

echo '[2/4] mmcv, compiled once (8 to 15 minutes on two cores)'
# Not from pip's cache, where a wheel may be built for another torch.
(
    command -v nvcc > /dev/null || export CUDA_VISIBLE_DEVICES=''
    export MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc 2> /dev/null || echo 2)}
    pip wheel --no-cache-dir --no-deps --no-build-isolation \
        -w "$FOLDER/wheels" "$MMCV"
)

echo '[3/4] mmpretrain, mmdet and the rest'
pip install -q "${HOSTS[@]}" -r requirements/runtime.txt \
    -r requirements/tests.txt -r requirements/vis.txt
pip install -q --no-build-isolation --no-deps -e .
"$PY" tools/check_env.py

echo '[4/4] tests'
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} "$PY" -m pytest "$@"
