#!/usr/bin/env bash
# One run of a sweep as a task of HyperQueue. The arguments are those of `asym sweep`:
#
#     args="recipes/glue/lora-r8.toml recipes/glue/b-only-orthonormal-r8.toml --seeds 5 --output runs"
#     hq submit --array 1-"$(asym sweep $args --list | wc -l)" recipes/cluster/hyperqueue.sh $args
#
# HyperQueue takes options from the lines with #HQ. A line with one more # is switched off.
#HQ --name sweep
#HQ --cpus 4
#HQ --crash-limit 20
# A GPU for each run, where the workers have some:
##HQ --resource gpus/nvidia=1
set -u
cd "$HQ_SUBMIT_DIR" || exit 2
export RAYON_NUM_THREADS="${RAYON_NUM_THREADS:-$(nproc)}"

# A worker that dies leaves its task to another worker, at once. A run that was killed alone is started again here. It goes on at
# its last checkpoint each time, and --wait leaves it to the process that works on it, if there is one.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    "${ASYM:-asym}" sweep "$@" --cell "$HQ_TASK_ID" --wait
    code=$?
    # 128 and more: a signal ended it.
    [ "$code" -lt 128 ] && exit "$code"
    echo "run $HQ_TASK_ID: signal $((code - 128)), attempt $attempt" >&2
done
exit "$code"
