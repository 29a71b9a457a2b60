#!/bin/sh
# Trains LeNet by train.c and by `tenon train`, each on one thread and in turn, and prints the
# seconds of their epochs and the ratio of the least:
#
#     sh compare.sh FOLDER [EPOCHS [ROUNDS]]     # FOLDER: Fashion-MNIST's four files, unpacked
#
# TENON is the command (tenon), MODEL the program (../lenet.tn), CC the compiler (cc).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd) epochs=${2:-1} rounds=${3:-3}
tenon=${TENON:-tenon} model=$(realpath "${MODEL:-$here/../lenet.tn}")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

cd "$made"
set -- "$model" --data "$folder" --set epochs="$epochs"
"$tenon" compile "$@" -o liblenet.so
${CC:-cc} -O2 -I. "$here/train.c" -L. -llenet -Wl,-rpath,. -o train
for round in $(seq "$rounds"); do
    ./train "$folder" "$epochs" weights.bin | sed 's/.*, \(.*\) s$/\1/' | tee -a c
    "$tenon" train "$@" --threads 1 --json | sed 's/.*"epoch_s": *\([0-9.]*\).*/\1/' | tee -a command
done | paste -s -d ' '
paste c command | awk '
    NR == 1 || $1 < c { c = $1 }
    NR == 1 || $2 < t { t = $2 }
    END { printf "least: train.c %.3f s, tenon train %.3f s an epoch, ratio %.3f\n", c, t, c / t }'
