# What the proofs share: fixed before any of them was run.
set -euo pipefail
CXRBENCH=${CXRBENCH:-.venv/bin/cxrbench}
PROOF=${PROOF:-proof}
# Small convolutions on few cores: threads that wait must not spin.
export OMP_WAIT_POLICY=PASSIVE

PHANTOM=phantom:n=3000,size=64
STUDENT=(--arch resnet18 --image-size 64 --batch-size 64)
MOCO=(--method moco_v2 --set training.lr=0.03 --set method.queue=1024 --set watch.probe_every=5)
# On from a pretrained encoder, for as many steps with IFA as without.
ONWARD=(--method moco_v2 --set training.lr=0.01 --set method.queue=1024 --epochs 4 --set watch.probe_images=0)
FINETUNE=(--protocol finetune --set training.lr=1e-3 --set training.batch_size=32 --set training.epochs=30
    --set training.patience=3)

# pretrain NAME OPTION...: into $PROOF/NAME; goes on where it was stopped, does nothing where it is done.
pretrain() {
    local name=$1
    shift
    "$CXRBENCH" pretrain "${STUDENT[@]}" "$@" --out "$PROOF/$name" --resume
}

# run STORE ENCODERS OPTION...
run() {
    local store=$1 encoders=$2
    shift 2
    "$CXRBENCH" run --encoder "$encoders" --set image_size=64 --store "$PROOF/$store" "$@"
}
