#!/usr/bin/env bash
# Does pretraining without labels help where labels are few? MoCo v2 on phantoms against the same network from scratch.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

pretrain moco_v2 "${MOCO[@]}" --data "$PHANTOM" --epochs 20
both=scratch=$PROOF/moco_v2/untrained.toml,moco_v2=$PROOF/moco_v2
run phantom "$both" --task chexpert --data "$PHANTOM" --fractions 1,10,100 --protocol frozen
run phantom "$both" --task chexpert --data "$PHANTOM" --fractions 1,10,100 "${FINETUNE[@]}"
for protocol in frozen finetune; do
    "$CXRBENCH" table --store "$PROOF/phantom" --protocol "$protocol"
done
"$CXRBENCH" compare moco_v2 scratch --task chexpert --metric auc --store "$PROOF/phantom"
"$CXRBENCH" table ifa-7 --store "$PROOF/phantom" --row "Scratch=scratch" --row "CheSS=moco_v2"
