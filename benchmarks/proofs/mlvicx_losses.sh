#!/usr/bin/env bash
# Table IV of MLVICX: the global loss alone, the local loss alone, both.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

data=phantom:n=1200,size=64
# The paper's LARS at 3e-5 is for 300 epochs; a few epochs need more.
mlvicx=(--method mlvicx --data "nih14=$data" --epochs 6 --set training.optimiser=adamw --set training.lr=1e-3
    --set training.weight_decay=1e-4 --set training.warmup_epochs=0 --set watch.probe_images=0 --set method.projection=512)
pretrain global_only "${mlvicx[@]}" --set method.local_loss=0
pretrain local_only "${mlvicx[@]}" --set method.global_loss=0
pretrain mlvicx "${mlvicx[@]}"
encoders=global_only=$PROOF/global_only,local_only=$PROOF/local_only,mlvicx=$PROOF/mlvicx
common=(--task nih14 --data "$data" --fractions 1,10,30)
run mlvicx_losses "$encoders" "${common[@]}" --protocol frozen
run mlvicx_losses "$encoders" "${common[@]}" "${FINETUNE[@]}"
"$CXRBENCH" table mlvicx-4 --store "$PROOF/mlvicx_losses" --row "row 1=global_only" --row "row 2=local_only" \
    --row "row 3=mlvicx"
