#!/usr/bin/env bash
# Does IFA help? From one MoCo v2, on with IFA after block 3 and on without, equal steps, three seeds each.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

pretrain moco_v2 "${MOCO[@]}" --data "$PHANTOM" --epochs 20
encoders=moco_v2=$PROOF/moco_v2
for seed in 1 2 3; do
    pretrain "without_$seed" "${ONWARD[@]}" --data "$PHANTOM" --init "$PROOF/moco_v2" --seed "$seed"
    pretrain "ifa_$seed" "${ONWARD[@]}" --data "$PHANTOM" --init "$PROOF/moco_v2" --seed "$seed" --ifa 3
    encoders+=,without_$seed=$PROOF/without_$seed,ifa_$seed=$PROOF/ifa_$seed
done
run ifa "$encoders" --task chexpert --data "$PHANTOM" --fractions 1,10,100 --protocol frozen
"$CXRBENCH" table --store "$PROOF/ifa"
"$(dirname "$CXRBENCH")/python" "$(dirname "${BASH_SOURCE[0]}")/over_seeds.py" --store "$PROOF/ifa" ifa without
