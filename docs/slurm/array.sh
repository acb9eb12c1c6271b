#!/bin/bash
# A sweep as a job array: every task runs the same command and takes whatever runs nobody has taken yet.
#   sbatch --array=0-7 --gpus-per-task=1 docs/slurm/array.sh first-table.yaml --results /shared/results
#   sbatch --array=0-7 --cpus-per-task=16 docs/slurm/array.sh first-table.yaml --results /shared/results   # no GPUs
# What stands before the script's name takes the place of the lines here (--partition, --account, --time, ...);
# what stands behind it are words of `clbench sweep`.
#SBATCH --job-name=clbench
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
# TERM comes two minutes before the time is up: the run saves its state, and the next job goes on from there.
set -euo pipefail
cpus=${SLURM_CPUS_PER_TASK:-1}
if [ -n "${SLURM_JOB_GPUS:-}" ]; then
    how=(--jobs 1 --workers "$((cpus - 1))") # one run, for which the other CPUs read pictures
else
    how=(--jobs "$cpus") # one run per CPU
fi
# srun does not take over --cpus-per-task from the job (Slurm 22.05 and later)
srun --cpus-per-task="$cpus" clbench sweep "${how[@]}" "$@"
