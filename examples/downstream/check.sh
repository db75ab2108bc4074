#!/usr/bin/env bash
# What a project that uses adverify goes through: in a new environment its tests pass, and fail if a sign is flipped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here"/{pyproject.toml,src,tests} "$work"
python3 -m venv "$work/venv"
cd "$work"
venv/bin/pip install --quiet --upgrade pip
venv/bin/pip install --quiet "$here/../.." -e . --group test

venv/bin/adverify check signals.ops
venv/bin/pytest

sed -i.right 's/\[\.\.\., :-1\] -= grad/[..., :-1] += grad/' src/signals/ops.py
if cmp --silent src/signals/ops.py{,.right}; then
    echo "check.sh: no sign was flipped" >&2
    exit 1
fi

fails_with() { # CODE MESSAGE COMMAND...
    local code=0 said
    said=$("${@:3}" 2>&1) || code=$?
    if [[ $code != "$1" || $said != *"$2"* ]]; then
        printf '%s\ncheck.sh: expected exit code %s and %q; got exit code %s\n' "$said" "$1" "$2" "$code" >&2
        exit 1
    fi
}
message="Difference: wrong gradient: x.grad[0] is 1 and should be -1"
fails_with 1 "$message" venv/bin/adverify check signals.ops -k Difference
fails_with 1 "$message" venv/bin/pytest -k Difference
echo "with a sign flipped, both say: $message"
