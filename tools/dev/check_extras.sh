#!/usr/bin/env bash
# Build the wheel, install it with each extra in an empty environment of its
# own, and try there what the extra promises, from a folder outside of the
# checkout.
#
# Usage: check_extras.sh [EXTRA ...]      (by default torch cls det all)
# Environment: PYTHON, to make the environments with; FOLDER, to keep them;
# CONSTRAINTS, a file of pip's (such as requirements/tested.txt).
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=${PYTHON:-python3}
EXTRAS=("$@")
[ $# -gt 0 ] || EXTRAS=(torch cls det all)
KEEP=${FOLDER:-}
FOLDER=${FOLDER:-$(mktemp -d)}
[ -n "$KEEP" ] || trap 'rm -rf "$FOLDER"' EXIT
mkdir -p "$FOLDER/source" "$FOLDER/outside"
CONSTRAINTS=${CONSTRAINTS:+$(realpath "$CONSTRAINTS")}
PIP=(-m pip --disable-pip-version-check -q)

echo '[wheel]'  # from a copy: pip leaves its build in the source
(cd "$ROOT" && cp -r mmocc configs tools requirements model-index.yml setup.py \
    pyproject.toml MANIFEST.in README.md LICENSE "$FOLDER/source")
rm -rf "$FOLDER/source/mmocc/.mim" "$FOLDER"/mmocc-*.whl
"$PYTHON" "${PIP[@]}" wheel --no-deps -w "$FOLDER" "$FOLDER/source"
WHEEL=$(echo "$FOLDER"/mmocc-*.whl)
"$PYTHON" - "$WHEEL" <<'END'
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    names = wheel.namelist()
    (top,) = (n for n in names if n.endswith('.dist-info/top_level.txt'))
    assert wheel.read(top).split() == [b'mmocc'], wheel.read(top)
    packages = {n.split('/')[0] for n in names if n.endswith('/__init__.py')}
    assert packages == {'mmocc'}, packages
END

for extra in "${EXTRAS[@]}"; do
    echo "[$extra] installing"
    START=$SECONDS
    rm -rf "$FOLDER/env"
    "$PYTHON" -m venv "$FOLDER/env"
    BIN=$FOLDER/env/bin
    "$BIN/python" "${PIP[@]}" install ${CONSTRAINTS:+-c "$CONSTRAINTS"} \
        "mmocc[$extra] @ file://$WHEEL"
    echo "[$extra] installed in $((SECONDS - START)) s; trying"
    (
        cd "$FOLDER/outside"
        "$BIN/mmocc" --help > /dev/null
        "$BIN/mmocc" check || true  # its last lines are looked at below
        "$BIN/python" "$ROOT/tools/dev/check_extras.py" "$extra" "$BIN/mmocc"
    )
    [ -n "$KEEP" ] || rm -rf "$FOLDER/env"
done
echo 'all extras work'
