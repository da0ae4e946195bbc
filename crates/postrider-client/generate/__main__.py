"""Writes what the clients have from the OpenAPI document: types, and methods for its operations.

    python3 crates/postrider-client/generate             write
    python3 crates/postrider-client/generate --check     say what differs, and exit with 1 if something does
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing of Python's beside the sources

import model
import python
import rust
import typescript

HERE = Path(__file__).resolve().parent.parent
DOCUMENT = HERE / "../../docs/reference/openapi.json"


def main():
    document = model.read(json.loads(DOCUMENT.read_text()))
    files = {**python.files(document), **typescript.files(document), **rust.files(document)}
    check, differing = sys.argv[1:] == ["--check"], []
    for name, text in files.items():
        text = formatted(text) if name.endswith(".rs") else text
        path = HERE / name
        if path.exists() and path.read_text() == text:
            continue
        differing.append(name)
        if not check:
            path.write_text(text)
    for name in differing:
        print(f"{'differs from the OpenAPI document' if check else 'written'}: crates/postrider-client/{name}")
    if check and differing:
        sys.exit("write them anew: python3 crates/postrider-client/generate")


def formatted(text):
    if not shutil.which("rustfmt"):
        sys.exit("rustfmt is not here: rustup component add rustfmt")
    options = ["--edition", "2024", "--config-path", str(HERE / "../..")]
    done = subprocess.run(["rustfmt", *options], input=text, capture_output=True, text=True, check=True)
    return done.stdout


main()
