#!/usr/bin/env bash
# Try `mim train mmocc CONFIG` on the CPU, with mmocc's wheel and onedl-mim in a
# temporary environment: mim's dependencies would change yours.
# Usage: check_mim.sh
# Environment: PYTHON, of an environment that has torch and mmpretrain
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
cd "$ROOT"

echo '[1/3] the wheel'  # from a copy: pip leaves its build in the source
mkdir "$TMP/source"
cp -r mmocc configs tools requirements setup.py pyproject.toml "$TMP/source"
"$PYTHON" -m pip wheel -q --no-deps --no-build-isolation \
    -w "$TMP" "$TMP/source"

echo '[2/3] an environment with it and mim'
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

echo '[3/3] mim train mmocc'
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
    grep -q "Training command is .*$1/tools/train.py" log
    grep -q 'Epoch(train) \[1\]\[2/2\]' log
    test -f work/epoch_1.pth
}
cd "$TMP"
export CUDA_VISIBLE_DEVICES=''
check site-packages/_mmocc_mim
"$MIM_PYTHON" -m pip uninstall -q -y mmocc
"$MIM_PYTHON" -m pip install -q --no-deps --no-build-isolation -e source
check source
echo 'mim train mmocc: works from the wheel and from an editable installation'
