#!/bin/sh
# Acts on Sayso's commands with nothing but mosquitto_sub and jq (Debian: mosquitto-clients, jq).
#
#   on-command.sh [SITE [HOST [PORT]]]
#
# A command that comes after its time is left alone: a light must not turn on ten minutes late. So is one that was said
# again a moment later, as people do who have not been heard. Nothing of what was said is ever run as a program; it is
# compared, and passed on as an argument.
set -eu
site=${1:-home} host=${2:-127.0.0.1} port=${3:-1883}

act() { # INTENT NAME
    case $1 in
        HassTurnOn) echo "on: $2" ;;        # e.g. mosquitto_pub -h "$host" -t "zigbee2mqtt/$2/set" -m ON
        HassTurnOff) echo "off: $2" ;;
        HassCancelTimer) echo "timer: cancel" ;;
        *) echo "nothing to do for $1" ;;
    esac
}

fresh='select((.repeated | not) and (.expires_at | sub("[.][0-9]+Z$"; "Z") | fromdate) >= (now | floor))'
mosquitto_sub -h "$host" -p "$port" -V 5 -q 1 -t "sayso/$site/command" |
    jq --unbuffered -r "$fresh | [.intent, (.slots.name // .slots.area // \"\" | tostring)] | @tsv" |
    while IFS=$(printf '\t') read -r intent name; do act "$intent" "$name"; done
