#!/bin/sh
# Indexes a real collection of Debian's with a real encoder and searches it. Usage: tools/demo.sh PATH-OF-SENSORIUM
# The collection: clip art (openclipart-svg) and captioned photographs (tuxpaint-stamps-default), copied to demo/pictures.
set -eu

sensorium=${1:?usage: tools/demo.sh PATH-OF-SENSORIUM}
case "$sensorium" in
/*) ;;
*) sensorium=$(cd "$(dirname "$sensorium")" && pwd)/$(basename "$sensorium") ;;
esac
cd "$(dirname "$0")/.."
clipart=/usr/share/openclipart/svg
stamps=/usr/share/tuxpaint/stamps
model=sensorium-clip-base

rm -rf demo
mkdir -p demo/pictures/clipart demo/pictures/stamps demo/asked
export SENSORIUM_LIBRARY="$PWD/demo/library"

# Every n-th file of some categories, in the order of the alphabet: the same choice on every machine.
(cd "$clipart" && find animals food plants recreation transportation -name '*.svg' -type f -size -400k | LC_ALL=C sort |
    awk 'NR % 5 == 1' | xargs -d '\n' cp --parents -t "$OLDPWD/demo/pictures/clipart")
# Two photographs are held back, to ask with.
(cd "$stamps" && find animals food vehicles plants/flowers -name '*.png' -type f ! -path '*/equines/donkey_eating.png' \
    ! -path '*/cats/tiger_sumatran.png' | LC_ALL=C sort | while read -r picture; do
    cp --parents -t "$OLDPWD/demo/pictures/stamps" "$picture"
    captions="${picture%.png}.txt"
    if [ -e "$captions" ]; then cp --parents -t "$OLDPWD/demo/pictures/stamps" "$captions"; fi
done)
cp "$stamps/animals/mammals/equines/donkey_eating.png" "$stamps/animals/mammals/cats/tiger_sumatran.png" demo/asked/

echo
echo "$(find demo/pictures -name '*.svg' | wc -l) drawings and $(find demo/pictures -name '*.png' | wc -l) photographs and stamps are in demo/pictures."
echo "\$ sensorium index --model $model demo/pictures"
# Status 1 only says that some files could not be read; they are named.
"$sensorium" index --model "$model" demo/pictures || [ $? = 1 ]
echo
echo '$ sensorium status'
"$sensorium" status

cat >demo/queries.txt <<'QUERIES'
# Words: titles, tags and captions, and what the pictures show
dolphin -k 8
# By meaning: no title has these words
"something to eat for breakfast" -k 8
# By meaning, in Chinese: something that flies in the sky
在天空中飞行的东西 -k 8
# Chinese words: 苹果 is an apple; the drawings have English titles only
苹果 -k 8
# 海边: at the seaside
海边 -k 8
# By a picture that isn't in the library: a donkey
--image demo/asked/donkey_eating.png -k 12
# By a picture: a tiger
--image demo/asked/tiger_sumatran.png -k 12
# A picture and words together, one of them taken away
"2: bird" + demo/asked/donkey_eating.png - penguin -k 12
# A filter
flower --where "format = png and width >= 100" -k 12
# A colour
--color "#c02020" --in demo/pictures -k 12
QUERIES

"$sensorium" sheet --table --title "Sensorium: the demo" --output demo/sheet.html demo/queries.txt

cat <<END

The pictures that were found are on one page: demo/sheet.html (open it in a browser).

What to type next:
  export SENSORIUM_LIBRARY="$SENSORIUM_LIBRARY"
  $sensorium search "a red flower"
  $sensorium search 汽车
  $sensorium similar demo/pictures/stamps/animals/mammals/aquatic/dolphin.png
  $sensorium search --image ANY-PICTURE-OF-YOURS.jpg --html found.html
  $sensorium info demo/pictures/stamps/animals/mammals/aquatic/dolphin.png
Your own pictures, in a library of their own:
  unset SENSORIUM_LIBRARY
  $sensorium index ~/Pictures
  make install        # puts sensorium on the PATH, with its manual page and completions
END
