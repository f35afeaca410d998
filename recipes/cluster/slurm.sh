#!/usr/bin/env bash
# One run of a sweep as a task of a Slurm array. The arguments are those of `asym sweep`:
#
#     args="recipes/glue/lora-r8.toml recipes/glue/b-only-orthonormal-r8.toml --seeds 5 --output runs"
#     sbatch --array=1-"$(asym sweep $args --list | wc -l)" recipes/cluster/slurm.sh $args
#
#SBATCH --job-name=sweep
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
# A minute before the time limit, Slurm sends SIGTERM. The run saves a checkpoint and stops. It is then queued again and continues.
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=sweep-%A_%a.log
# Remove one # to request a GPU for each run:
##SBATCH --gpus-per-task=1
set -u
export RAYON_NUM_THREADS="${RAYON_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-$(nproc)}}"

stopped=
"${ASYM:-asym}" sweep "$@" --cell "$SLURM_ARRAY_TASK_ID" --wait &
run=$!
trap 'stopped=1; kill -TERM "$run"' TERM
wait "$run"
code=$?
# The signal ends `wait`, but the run is still saving its checkpoint.
while [ -n "$stopped" ] && kill -0 "$run" 2>/dev/null; do
    wait "$run"
    code=$?
done

# A run that was stopped before the time limit, or that a signal ended, is queued again. A run that fails with an error is not
# queued again, because it would fail again.
if [ -n "$stopped" ] || [ "$code" -ge 128 ]; then
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
        echo "run $SLURM_ARRAY_TASK_ID: ended with $code, queued again" >&2
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    fi
fi
exit "$code"
