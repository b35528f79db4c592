#!/usr/bin/env bash
# Encoders as perceptual losses on phantoms: MoCo v2 against the same network from scratch, and rows without an encoder.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

pretrain moco_v2 "${MOCO[@]}" --data "$PHANTOM" --epochs 20
both=untrained=$PROOF/moco_v2/untrained.toml,moco_v2=$PROOF/moco_v2
shown=(--store "$PROOF/perceptual")
small=(--preset small "${shown[@]}")
"$CXRBENCH" run --encoder "$both" --task gan_inversion --data phantom:n=600,size=128,seed=1 "${small[@]}"
# Of other seeds than those on which the settings of `--preset small` were found.
"$CXRBENCH" run --encoder "$both" --task bone_suppression --variant calibrated --data phantom:n=120,size=64,seed=1 "${small[@]}"
"$CXRBENCH" run --encoder "$both" --task nodule_generation --variant calibrated --data phantom:n=800,size=256,seed=1 "${small[@]}"
"$CXRBENCH" table ifa-10 "${shown[@]}" --row "Scratch=untrained" --row "CheSS=moco_v2"
"$CXRBENCH" table chess "${shown[@]}" --row "CheSS=moco_v2"
for task in gan_inversion bone_suppression nodule_generation; do
    "$CXRBENCH" compare moco_v2 untrained --task "$task" "${shown[@]}"
done
"$CXRBENCH" figure inversion --task gan_inversion --variant calibrated "${shown[@]}" --out "$PROOF/inversion.png"
"$CXRBENCH" figure bones --task bone_suppression --encoder identity,mse_alone,untrained,moco_v2 "${shown[@]}" --out "$PROOF/bones.png"
"$CXRBENCH" figure nodules --task nodule_generation "${shown[@]}" --out "$PROOF/nodules.png"
