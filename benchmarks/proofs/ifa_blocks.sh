#!/usr/bin/env bash
# Table 5 of the IFA paper: IFA after block 1, 2, 3 or 4, each on from one MoCo v2 for equal steps.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

pretrain moco_v2 "${MOCO[@]}" --data "$PHANTOM" --epochs 20
pretrain without_1 "${ONWARD[@]}" --data "$PHANTOM" --init "$PROOF/moco_v2" --seed 1
encoders=without_1=$PROOF/without_1
rows=(--row "CheSS=without_1")
for block in 1 2 3 4; do
    pretrain "block_$block" "${ONWARD[@]}" --data "$PHANTOM" --init "$PROOF/moco_v2" --seed 1 --ifa "$block"
    encoders+=,block_$block=$PROOF/block_$block
    rows+=(--row "CheSS+IFA block $block=block_$block")
done
run ifa_blocks "$encoders" --task chexpert --data "$PHANTOM" --fractions 100 "${FINETUNE[@]}" \
    --set training.epochs=4
"$CXRBENCH" table ifa-5 --store "$PROOF/ifa_blocks" "${rows[@]}"
