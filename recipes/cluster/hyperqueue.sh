#!/usr/bin/env bash
# One run of a sweep as a task of HyperQueue. The arguments are those of `asym sweep`:
#
#     args="recipes/glue/lora-r8.toml recipes/glue/b-only-orthonormal-r8.toml --seeds 5 --output runs"
#     hq submit --array 1-"$(asym sweep $args --list | wc -l)" recipes/cluster/hyperqueue.sh $args
#
# HyperQueue reads options from the lines with #HQ. A second # turns a line off.
#HQ --name sweep
#HQ --cpus 4
#HQ --crash-limit 20
# Remove one # to request a GPU for each run:
##HQ --resource gpus/nvidia=1
set -u
cd "$HQ_SUBMIT_DIR" || exit 2
export RAYON_NUM_THREADS="${RAYON_NUM_THREADS:-$(nproc)}"

# If a worker dies, HyperQueue gives its task to another worker immediately. If only the run is killed, this loop starts the run
# again. In both cases, the run continues from its last checkpoint. With --wait, the command waits while another process works on
# the run.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    "${ASYM:-asym}" sweep "$@" --cell "$HQ_TASK_ID" --wait
    code=$?
    # An exit code of 128 or more means that a signal ended the run.
    [ "$code" -lt 128 ] && exit "$code"
    echo "run $HQ_TASK_ID: signal $((code - 128)), attempt $attempt" >&2
done
exit "$code"
