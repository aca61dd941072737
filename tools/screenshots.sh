#!/bin/sh
# Makes the screenshots of the README: the web page in Chromium, on the demo's library. Usage: tools/screenshots.sh (after make demo)
set -eu
cd "$(dirname "$0")/.."
SENSORIUM_LIBRARY=${SENSORIUM_LIBRARY:-$PWD/demo/library}
SENSORIUM_SCREENSHOTS=$PWD/docs
export SENSORIUM_LIBRARY SENSORIUM_SCREENSHOTS
if [ ! -d "$SENSORIUM_LIBRARY" ]; then
    echo "screenshots: there is no library at $SENSORIUM_LIBRARY; 'make demo' makes one" >&2
    exit 1
fi
tools/setup.sh --test
mkdir -p docs
swift test list -c release --scratch-path .build/testing >/dev/null
swift test -c release --scratch-path .build/testing --skip-build --filter screenshotsForTheReadme
ls -l docs
