#!/usr/bin/env bash
# The same on real radiographs of children: DATA=folder of chest_xray. Pretraining sees the train images only.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
: "${DATA:?give the folder: DATA=chest_xray}"

pretrain kermany_moco_v2 "${MOCO[@]}" --data "pediatric_pneumonia=$DATA" --epochs 12
three=scratch=$PROOF/kermany_moco_v2/untrained.toml,moco_v2=$PROOF/kermany_moco_v2,efficientnet_lite0_imagenet
common=(--task pediatric_pneumonia --data "$DATA")
run kermany "$three" "${common[@]}" --fractions 1,10 --replicates 10 --protocol frozen
run kermany "$three" "${common[@]}" --fractions 100 --replicates 1 --protocol frozen
run kermany "$three" "${common[@]}" --fractions 1,10 --replicates 10 "${FINETUNE[@]}"
run kermany "$three" "${common[@]}" --fractions 100 --replicates 1 "${FINETUNE[@]}"
for protocol in frozen finetune; do
    "$CXRBENCH" table --store "$PROOF/kermany" --protocol "$protocol"
done
"$CXRBENCH" compare moco_v2 scratch --task pediatric_pneumonia --metric accuracy --store "$PROOF/kermany"
