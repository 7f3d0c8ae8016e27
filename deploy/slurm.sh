#!/bin/bash
# Training on several machines of a SLURM cluster. One task a machine starts torchrun, which starts a rank for each GPU
# (or RANKS of them). Two minutes before the time is up, SLURM tells this script, the training saves, and the job is put
# back into the queue; --go-on then continues it. The folder of the run must be seen by the first machine only, the data
# by all. Not run on a cluster by us: see docs/scale.md.
#
#     sbatch deploy/slurm.sh /shared/clicks.parquet /shared/runs/clicks --by user --order time
#SBATCH --job-name=unrolled
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -euo pipefail
data=$1 out=$2
shift 2
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
ranks=${RANKS:-${SLURM_GPUS_ON_NODE:-1}}

stopped=
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$ranks" --rdzv-backend c10d --rdzv-endpoint "$head:29400" \
  --rdzv-id "$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}" --max-restarts 3 \
  -m unrolled fit "$data" --out "$out" --go-on "$@" &
training=$!
trap 'stopped=1; kill -TERM "$training"' TERM
# A trap ends the first wait; torchrun's exit code does not tell a stop from an error, so the run is looked at.
code=0
wait "$training" || code=$?
if [ -n "$stopped" ]; then
  wait "$training" || code=$?
  if [ ! -e "$out/manifest.json" ]; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
fi
exit "$code"
