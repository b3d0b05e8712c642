#!/usr/bin/env bash
# Try `mim search`, `mim download` and `mim train` of mmocc on the CPU, with mmocc's wheel and onedl-mim in a
# temporary environment: mim's dependencies would change yours.
# Usage: check_mim.sh
# Environment: PYTHON, of an environment that has torch and mmpretrain
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
cd "$ROOT"

echo '[1/4] the wheel'  # from a copy: pip leaves its build in the source
mkdir "$TMP/source"
cp -r mmocc configs tools requirements model-index.yml setup.py pyproject.toml \
    "$TMP/source"
"$PYTHON" -m pip wheel -q --no-deps --no-build-isolation \
    -w "$TMP" "$TMP/source"

echo '[2/4] an environment with it and mim'
"$PYTHON" -m venv "$TMP/env"
MIM_PYTHON=$TMP/env/bin/python
# torch and the hosts come from PYTHON's environment, where pip changes nothing.
SITE='import sysconfig; print(sysconfig.get_path("purelib"))'
"$PYTHON" -c "$SITE" > "$("$MIM_PYTHON" -c "$SITE")/hosts.pth"
# opendatalab, which mim only needs for downloads, is left out with --no-deps.
"$MIM_PYTHON" -m pip install -q -U 'setuptools>=77,<81' wheel
"$MIM_PYTHON" -m pip install -q 'click>=8.3' colorama model-index \
    pandas==2.2.3 requests tabulate
"$MIM_PYTHON" -m pip install -q --no-deps onedl-mim==0.5.1
"$MIM_PYTHON" -m pip install -q --no-deps --ignore-installed "$TMP"/mmocc-*.whl

look() {  # every model is found, and its config is written; no traceback
    rm -rf got
    "$TMP/env/bin/mim" search mmocc --json models.json > search.log
    "$TMP/env/bin/mim" search mmocc --model learn >> search.log
    "$MIM_PYTHON" -c 'import json; print(*json.load(open("models.json"))["model"], sep="\n")' \
        > names
    "$TMP/env/bin/mim" download mmocc --config $(cat names) --dest got > get.log
    for name in $(cat names); do test -f "got/$name.py"; done
    echo "$(wc -l < names) models"
}

cat > "$TMP/write_config.py" <<EOF
import sys
from pathlib import Path

sys.path.insert(0, '$ROOT/tests')
from conftest import write_tiny_config

write_tiny_config(Path('$TMP'))
EOF
"$PYTHON" "$TMP/write_config.py"
check() {  # FOLDER: mim must run the script there
    rm -rf work
    "$TMP/env/bin/mim" train mmocc tiny.py --launcher none --work-dir work \
        | tee log
    grep -qF "$1/tools/train.py" log
    grep -q 'Epoch(train) \[1\]\[2/2\]' log
    test -f work/epoch_1.pth
}
cd "$TMP"
export CUDA_VISIBLE_DEVICES=''
echo '[3/4] mim search, download and train, from the wheel'
look
check site-packages/+mmocc_mim
echo '[4/4] the same from an editable installation'
"$MIM_PYTHON" -m pip uninstall -q -y mmocc
"$MIM_PYTHON" -m pip install -q --no-deps --no-build-isolation -e source
look
check source
echo 'mim search, download and train: all work'
