#!/usr/bin/env bash
# Test with several processes: one per GPU, or on the CPU if there is none.
# Usage: dist_test.sh CONFIG CHECKPOINT GPUS [flags of test.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, PYTHON
set -euo pipefail
[ $# -ge 3 ] || { echo "Usage: $0 CONFIG CHECKPOINT GPUS [flags]" >&2; exit 2; }
TOOLS=$(dirname "$0")

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$3" \
    "$TOOLS/test.py" "$1" "$2" --launcher pytorch "${@:4}"
