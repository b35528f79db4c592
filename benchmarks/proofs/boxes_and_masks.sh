#!/usr/bin/env bash
# Detection and segmentation from end to end on phantoms: MoCo v2 against the same network from scratch.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

pretrain moco_v2 "${MOCO[@]}" --data "$PHANTOM" --epochs 20
both=untrained=$PROOF/moco_v2/untrained.toml,moco_v2=$PROOF/moco_v2
BOXES=phantom:n=1000,size=128
MASKS=phantom:n=400,size=128
small=(--preset small --store "$PROOF/boxes_and_masks")
"$CXRBENCH" run --encoder "$both" --task siim_covid --data "$BOXES" "${small[@]}"
for protocol in frozen finetune; do
    "$CXRBENCH" run --encoder "$both" --task siim_acr --data "$MASKS" --protocol "$protocol" "${small[@]}"
done
shown=(--store "$PROOF/boxes_and_masks")
"$CXRBENCH" table ifa-9 "${shown[@]}" --row "Scratch=untrained" --row "CheSS=moco_v2"
"$CXRBENCH" table mlvicx-3 "${shown[@]}" --row "Rand. Init=untrained" --row "MoCov2=moco_v2"
for task in siim_covid siim_acr; do
    "$CXRBENCH" compare moco_v2 untrained --task "$task" "${shown[@]}"
done
"$CXRBENCH" figure detections --task siim_covid --variant c4 --data "$BOXES" "${shown[@]}" --out "$PROOF/detections.png"
"$CXRBENCH" figure masks --task siim_acr --protocol finetune --data "$MASKS" "${shown[@]}" --out "$PROOF/masks.png"
