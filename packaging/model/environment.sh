# shellcheck shell=bash
# Sourced by the scripts beside it: where things lie, and the two virtual environments, made on first use.

model=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$model/../.." && pwd)
export SAYSO_MODEL_WORK="${SAYSO_MODEL_WORK:-$repository/build/model}"
export SAYSO_MODEL_SPEECH="${SAYSO_MODEL_SPEECH:-$repository/../shared/speech}"
export PYTHONPATH="$model:$repository/daemon"
# One thread a process: the processes themselves keep the cores busy.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
mkdir -p "$SAYSO_MODEL_WORK"

# Given a name and a requirements file, print the interpreter of that environment.
environment() {
  local folder="$SAYSO_MODEL_WORK/$1-venv" stamp
  stamp=$(sha256sum "$model/$2" | cut -c1-16)
  if [ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "making $folder" >&2
    "${PYTHON:-python3.11}" -m venv "$folder" >&2 &&
      "$folder/bin/pip" install --quiet --requirement "$model/$2" >&2 &&
      echo "$stamp" >"$folder/stamp" || return
  fi
  echo "$folder/bin/python"
}

# Run a module of sayso_model in the training environment.
torch_python() {
  local python
  python=$(environment train requirements.txt) && "$python" -m "sayso_model.$1" "${@:2}"
}

# Run a module of sayso_model in TensorFlow's environment.
tensorflow_python() {
  local python
  python=$(environment tf requirements-tensorflow.txt) && "$python" -m "sayso_model.$1" "${@:2}"
}
