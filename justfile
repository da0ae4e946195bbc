# One verb, one recipe. `just` lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# list the recipes
default:
    @just --list --unsorted

# what CI runs: format, lints, dependency policy, documentation, every test
check:
    ./run-tests
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
    if command -v cargo-deny >/dev/null; then cargo deny check; else echo "cargo-deny is not installed: policy not checked"; fi

# all tests, or those whose name contains FILTER
test filter="":
    cargo nextest run --workspace {{filter}}

# integration tests alone: real PostgreSQL, real sockets
it filter="":
    cargo nextest run --workspace --test it {{filter}}

# the promise, end to end, through the binary
e2e filter="":
    cargo nextest run --package postrider-cli --test it {{filter}}

# start a private PostgreSQL under target/pg and print its URL (`just pg stop` ends it)
pg verb="start":
    .ci/pg {{verb}} target/pg

# bring a database up to date: just migrate postgres://…
migrate url=env("POSTRIDER_DATABASE_URL", ""):
    POSTRIDER_DATABASE_URL={{quote(url)}} cargo run --quiet --package postrider-cli -- migrate up

# write migrations/schema.sql anew from the migrations
schema:
    POSTRIDER_WRITE_SCHEMA=1 cargo nextest run --package postrider-store --test it schema

# write generated documents anew: reference pages, signature vectors, API documentation
docs-gen:
    POSTRIDER_WRITE_DOCS=1 cargo nextest run --package postrider-cli --bin postrider reference
    docs/how-to/verify/vectors.py
    python3 crates/postrider-client/generate
    cargo doc --quiet --workspace --no-deps

# the benchmark, release build: just bench --only limit,drain --quick
bench *args:
    cargo run --release --quiet --package postrider-bench -- {{args}}

# the daemon from this tree: just run --dev
run *args:
    cargo run --quiet --package postrider-cli -- run {{args}}

# the binary as it ships, in target/release
release:
    cargo build --release --locked --package postrider-cli

# the proof of an issue, full size: just prove main-job
prove *args:
    cargo prove {{args}}
