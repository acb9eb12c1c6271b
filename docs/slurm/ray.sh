#!/bin/bash
# A sweep or a search on a Ray cluster that lives as long as this job.
#   sbatch --nodes=4 --gpus-per-node=4 docs/slurm/ray.sh sweep first-table.yaml --results /shared/results
#   sbatch --nodes=4 docs/slurm/ray.sh search search-lr.yaml --results /shared/results          # no GPUs
# What stands before the script's name takes the place of the lines here (--partition, --account, --time, ...);
# what stands behind it are words of `clbench`.
#SBATCH --job-name=clbench
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --exclusive
#SBATCH --signal=B:TERM@120
# TERM comes two minutes before the time is up, to this script alone: Ray has to live while the runs save their state.
set -euo pipefail
export RAY_USAGE_STATS_ENABLED=0
cpus=${SLURM_CPUS_PER_TASK:-1}
# this script runs on the first node; one such job on a node at a time, therefore --exclusive
address=$(hostname -I | awk '{print $1}'):6379
trap 'ray stop >/dev/null 2>&1' EXIT
start() {
    ray start --head --node-ip-address="${address%:*}" --port="${address##*:}" --num-cpus="$cpus" \
        --include-dashboard=false
}
# Ray gives itself 30 seconds to start, which may be too few the first time it is read from a shared file system
start || { ray stop --force && start; }
others=$((SLURM_JOB_NUM_NODES - 1))
if [ "$others" -gt 0 ]; then
    srun --nodes="$others" --ntasks="$others" --cpus-per-task="$cpus" --exclude="$SLURMD_NODENAME" \
        ray start --address="$address" --num-cpus="$cpus" --block >"ray-$SLURM_JOB_ID.log" 2>&1 &
fi
clbench "$@" --address "$address" & # runs go to further nodes as they come
sweep=$!
trap 'kill -TERM "$sweep" && wait "$sweep"' TERM
wait "$sweep"
