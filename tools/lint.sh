# Sourced by ./dev: layout, static analysis and types. The tools are of pinned versions, from pip, so that
# every machine finds the same.

c_files() { find native tests bench tools -name '*.[ch]' 2>/dev/null | sort; }
python_dirs() { for dir in src tests bench examples tools; do [ ! -d "$dir" ] || echo "$dir"; done; }

lint() {
    status=0
    # Analysed: what the build compiles, once (an agent is compiled for each Python).
    units=$("$PYTHON" tools/units.py build/compile_commands.json)
    # shellcheck disable=SC2046,SC2086 # lists of words
    {
        say "clang-format"
        for file in $(c_files); do
            "$venv/bin/clang-format" --dry-run -Werror "$file" 2>/dev/null || {
                echo "$file: ./dev format would change it"
                status=1
            }
        done
        say "clang-tidy"
        printf '%s\n' $units | xargs -r -P "$(nproc)" -n 4 "$venv/bin/clang-tidy" -p build --quiet 2>&1 |
            grep -vE '^\[[0-9]+/|^[0-9]+ warnings? (generated|treated)|^\.$' && status=1
        say "ruff"
        "$venv/bin/ruff" check -q $(python_dirs) || status=1
        "$venv/bin/ruff" format -q --check $(python_dirs) || status=1
        say "mypy"
        [ ! -d src/assay ] || "$venv/bin/mypy" || status=1
    }
    [ $status != 0 ] || say "nothing found"
    return $status
}

format() {
    # shellcheck disable=SC2046 # lists of words
    {
        [ -z "$(c_files)" ] || "$venv/bin/clang-format" -i $(c_files)
        "$venv/bin/ruff" check -q --fix-only $(python_dirs)
        "$venv/bin/ruff" format -q $(python_dirs)
    }
}
