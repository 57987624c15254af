# shellcheck shell=sh
# Sourced by the scripts of this folder: what they show a person.
# Needs LOG (a file's path; the output of steps goes there). POSIX sh, nothing but the base system.

ESC=$(printf '\033')
SAY_TTY=no
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then SAY_TTY=yes; fi
SAY_RED='' SAY_GREEN='' SAY_DIM='' SAY_BOLD='' SAY_OFF=''
if [ "$SAY_TTY" = yes ] && [ -z "${NO_COLOR:-}" ]; then
  SAY_RED="${ESC}[31m" SAY_GREEN="${ESC}[32m" SAY_DIM="${ESC}[2m" SAY_BOLD="${ESC}[1m" SAY_OFF="${ESC}[0m"
fi

# A locale that can show them gets the nicer marks.
SAY_OK=ok SAY_BAD=failed SAY_SAME=- SAY_FRAMES='| / - +'
case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
  *UTF-8* | *utf-8* | *UTF8* | *utf8*) SAY_OK='✔' SAY_BAD='✘' SAY_SAME='•' SAY_FRAMES='⠋ ⠙ ⠹ ⠸ ⠼ ⠴ ⠦ ⠧ ⠇ ⠏' ;;
esac

# Hundredths of a second since the machine started, into NOW_CS.
now_cs() {
  read -r NOW_CS now_idle </proc/uptime
  : "$now_idle"
  NOW_CS=${NOW_CS%.*}${NOW_CS#*.}
}

# took HUNDREDTHS: "0.4 s", "23 s", "2 min 05 s".
took() {
  if [ "$1" -lt 1000 ]; then
    printf '%d.%d s' $(($1 / 100)) $(($1 % 100 / 10))
  elif [ "$1" -lt 6000 ]; then
    printf '%d s' $(($1 / 100))
  else
    printf '%d min %02d s' $(($1 / 6000)) $(($1 / 100 % 60))
  fi
}

say() { printf '%s\n' "$*"; }
note() { printf '%s  %s%s\n' "$SAY_DIM" "$*" "$SAY_OFF"; }
warn() { printf '  note: %s\n' "$*"; }

# skipped TITLE WHY: a step that had nothing to do.
skipped() { printf '%s%s %s%s  %s\n' "$SAY_DIM" "$SAY_SAME" "$1" "$SAY_OFF" "${SAY_DIM}$2${SAY_OFF}"; }

# die SENTENCE [COMMAND-THAT-HELPS [EXIT-CODE]]: the end of the script.
die() {
  printf '\n%serror:%s %s\n' "$SAY_RED" "$SAY_OFF" "$1" >&2
  if [ -n "${2:-}" ]; then printf '  try: %s%s%s\n' "$SAY_BOLD" "$2" "$SAY_OFF" >&2; fi
  if [ -n "${LOG:-}" ] && [ -s "$LOG" ]; then printf '  log: %s\n' "$LOG" >&2; fi
  exit "${3:-1}"
}

# The last line that the running step wrote, fit to be shown behind a spinner.
step_tail() {
  tail -n 1 "$STEP_OUT" 2>/dev/null | tr -d '\000-\037\177' | cut -c "1-$1"
}

# Shows the running step (STEP_PID, STEP_TITLE) until it ends: a turning line on a terminal, a line every 20 s elsewhere.
step_watch() {
  watch_columns=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2)
  case $watch_columns in '' | *[!0-9]* | 0) watch_columns=80 ;; esac
  watch_turn=0 watch_detail='' watch_next=2000
  while kill -0 "$STEP_PID" 2>/dev/null; do
    now_cs
    watch_spent=$((NOW_CS - STEP_FROM))
    if [ "$SAY_TTY" = yes ]; then
      # shellcheck disable=SC2086 # the frames are words on purpose
      set -- $SAY_FRAMES
      shift $((watch_turn % $#))
      watch_room=$((watch_columns - ${#STEP_TITLE} - 20))
      if [ $((watch_turn % 4)) -eq 3 ] && [ "$watch_room" -gt 10 ]; then watch_detail=$(step_tail "$watch_room"); fi
      printf '\r%s[K%s %s  %s%s  %s%s' "$ESC" "$1" "$STEP_TITLE" "$SAY_DIM" "$(took "$watch_spent")" "$watch_detail" "$SAY_OFF"
      watch_turn=$((watch_turn + 1))
    elif [ "$watch_spent" -ge "$watch_next" ]; then
      printf '  still at it: %s, %s\n' "$STEP_TITLE" "$(took "$watch_spent")"
      watch_next=$((watch_next + 2000))
    fi
    if [ "$watch_spent" -lt 100 ]; then sleep 0.05; else sleep 0.15; fi
  done
}

# What a failed step said, in few lines: the last ones, and before them the first that speaks of an error.
step_words() {
  grep -v '^[[:space:]]*$' "$STEP_OUT" | awk '
    { line[NR] = $0 }
    !found && tolower($0) ~ /error|cannot|can.t|failed|fatal/ { found = NR }
    END {
      first = NR > 6 ? NR - 5 : 1
      if (found && found < first) { print line[found]; if (found < first - 1) print "..." }
      for (n = first; n <= NR; n++) print line[n]
    }'
}

# step TITLE COMMAND [ARG...]: runs the command with its output in the log and in STEP_OUT, shows it, and answers its exit code.
# The command has no standard input and none of the script's locks (descriptor 9).
step() {
  STEP_TITLE=$1
  shift
  now_cs
  STEP_FROM=$NOW_CS
  STEP_OUT=$LOG.step
  : >"$STEP_OUT"
  printf '\n== %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$STEP_TITLE" >>"$LOG"
  if [ "$SAY_TTY" = no ]; then printf '%s ...\n' "$STEP_TITLE"; fi
  "$@" >"$STEP_OUT" 2>&1 </dev/null 9>&- &
  STEP_PID=$!
  step_watch
  STEP_RC=0
  wait "$STEP_PID" || STEP_RC=$?
  STEP_PID=''
  cat "$STEP_OUT" >>"$LOG"
  now_cs
  step_line=$(took $((NOW_CS - STEP_FROM)))
  if [ "$SAY_TTY" = yes ]; then printf '\r%s[K' "$ESC"; fi
  if [ "$STEP_RC" -eq 0 ]; then
    printf '%s%s%s %s  %s%s%s\n' "$SAY_GREEN" "$SAY_OK" "$SAY_OFF" "$STEP_TITLE" "$SAY_DIM" "$step_line" "$SAY_OFF"
  else
    printf '%s%s%s %s  %s%s%s\n' "$SAY_RED" "$SAY_BAD" "$SAY_OFF" "$STEP_TITLE" "$SAY_DIM" "$step_line" "$SAY_OFF"
    step_words | cut -c 1-240 | sed 's/^/    /'
  fi
  return "$STEP_RC"
}

# As step, for a command that must not be cut in the middle (dpkg).
step_whole() {
  STEP_SAFE=yes
  step "$@" && step_whole_rc=0 || step_whole_rc=$?
  STEP_SAFE=no
  return "$step_whole_rc"
}

# descendants PID: the processes below one, nearest first.
descendants() {
  cat /proc/[0-9]*/status 2>/dev/null | awk -v from="$1" '
    /^Pid:/ { pid = $2 }
    /^PPid:/ { parent[pid] = $2 }
    END {
      wave[from] = 1
      do {
        grown = 0
        for (pid in parent) if ((parent[pid] in wave) && !(pid in wave)) { wave[pid] = 1; grown = 1; print pid }
      } while (grown)
    }'
}

# end_processes PID...: asks them to end, waits 5 s, and kills what is left.
end_processes() {
  end_left=50
  end_signal=TERM
  while :; do
    end_alive=''
    for end_pid in "$@"; do
      # A zombie has ended; its parent has not noticed yet.
      if grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$end_pid/status"; then end_alive="$end_alive $end_pid"; fi
    done
    if [ -z "$end_alive" ] || [ "$end_left" -lt 0 ]; then return 0; fi
    if [ "$end_left" -eq 0 ]; then end_signal=KILL; fi
    if [ "$end_left" -eq 50 ] || [ "$end_left" -eq 0 ]; then
      # shellcheck disable=SC2086 # process numbers are words
      kill -s "$end_signal" $end_alive 2>/dev/null || :
    fi
    end_left=$((end_left - 1))
    sleep 0.1
  done
}

# Called from a trap: ends the running step and all that it started, or waits for one that must not be cut.
step_interrupt() {
  if [ -z "${STEP_PID:-}" ]; then return 0; fi
  if [ "${STEP_SAFE:-no}" = yes ]; then
    printf '\nwaiting for apt to end: cutting it would leave packages half installed\n'
    wait "$STEP_PID" 2>/dev/null || :
  else
    # sh makes background commands deaf to the terminal's SIGINT, and what they started too.
    # shellcheck disable=SC2046 # process numbers are words
    end_processes $(descendants "$STEP_PID") "$STEP_PID"
  fi
}
