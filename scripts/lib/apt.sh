# shellcheck shell=sh
# Sourced by the scripts of this folder: Debian packages. Needs say.sh, machine.sh (DPKG_ARCH) and ROOT.

APT_LOCKS='/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock'
APT_WAIT_SECONDS=${APT_WAIT_LIMIT:-300}

# apt_listed FILE...: the packages of the lists that this machine's architecture wants, one a line.
apt_listed() {
  awk -v arch="[$DPKG_ARCH]" '/^[a-z0-9]/ && ($2 !~ /^\[/ || $2 == arch) { print $1 }' "$@"
}

# apt_missing FILE...: those of them that are not installed.
apt_missing() {
  apt_names=$(apt_listed "$@")
  # shellcheck disable=SC2086 # package names are words
  apt_have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $apt_names 2>/dev/null | awk '$1 == "ii" { print $2 }')
  for apt_name in $apt_names; do
    case "
$apt_have
" in *"
$apt_name
"*) ;; *) printf '%s\n' "$apt_name" ;; esac
  done
}

# apt_purpose NAME FILE...: what a package is for, in the list's words.
apt_purpose() {
  apt_wanted=$1
  shift
  awk -v name="$apt_wanted" '$1 == name { sub(/^[^ ]+ +/, ""); sub(/^\[[a-z0-9]+\] +/, ""); print; exit }' "$@"
}

# Who holds one of apt's locks: "apt-get (pid 12)", or nothing.
apt_lock_holder() {
  for apt_lock in $APT_LOCKS; do
    if [ ! -e "$apt_lock" ]; then continue; fi
    apt_inode=$(stat -c '%i' "$apt_lock")
    apt_pid=$(awk -v inode="$apt_inode" '$2 != "->" { split($6, id, ":"); if (id[3] == inode) { print $5; exit } }' /proc/locks)
    if [ -n "$apt_pid" ] && [ -d "/proc/$apt_pid" ]; then
      printf '%s (pid %s)' "$(cat "/proc/$apt_pid/comm" 2>/dev/null)" "$apt_pid"
      return 0
    fi
  done
}

# Waits for a held lock, within APT_WAIT_SECONDS, and says whom it waits for.
apt_wait() {
  apt_holder=$(apt_lock_holder)
  if [ -z "$apt_holder" ]; then return 0; fi
  say "waiting for $apt_holder, which holds the package lock (at most $APT_WAIT_SECONDS s)"
  apt_waited=0
  while [ -n "$apt_holder" ] && [ "$apt_waited" -lt "$APT_WAIT_SECONDS" ]; do
    sleep 1
    apt_waited=$((apt_waited + 1))
    apt_holder=$(apt_lock_holder)
  done
  if [ -n "$apt_holder" ]; then
    apt_holder_pid=${apt_holder##*pid }
    die "the package lock is still held by $apt_holder after $APT_WAIT_SECONDS s" "ps -fp ${apt_holder_pid%)}; then run this again when it has ended" 9
  fi
}

apt_get() { DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -o "DPkg::Lock::Timeout=$APT_WAIT_SECONDS" -o Dpkg::Use-Pty=0 "$@"; }

# Installs the packages; fetches the package lists first when apt can't place the request with those it has.
apt_fetch_install() {
  if ! apt_get install --simulate --no-install-recommends "$@" >/dev/null 2>&1; then apt_get update || return 1; fi
  if apt_get install -y --no-install-recommends "$@"; then return 0; fi
  # Lists that are older than the mirror name files that are gone from it.
  apt_get update && apt_get install -y --no-install-recommends "$@"
}

# What would help after a failed installation, from the words of apt and dpkg in STEP_OUT.
apt_help() {
  if grep -q 'dpkg --configure -a' "$STEP_OUT"; then
    echo 'dpkg --configure -a'
  elif grep -q -i 'no space left' "$STEP_OUT"; then
    echo 'apt-get clean; df -h /'
  elif grep -q -E 'Unable to locate package|has no installation candidate' "$STEP_OUT"; then
    echo 'cat /etc/apt/sources.list /etc/apt/sources.list.d/*   (Debian 12 or 13, component main)'
  elif grep -q -E 'Temporary failure resolving|Could not connect|Failed to fetch|Connection timed out' "$STEP_OUT"; then
    echo 'apt-get update   (no Debian mirror answered: is the network up?)'
  else
    echo 'apt-get -f install'
  fi
}

# apt_ensure FILE...: shows what is missing of the lists, and installs it.
apt_ensure() {
  apt_todo=$(apt_missing "$@")
  if [ -z "$apt_todo" ]; then
    skipped 'Debian packages' "all $(apt_listed "$@" | wc -l | tr -d ' ') installed"
    return 0
  fi
  say 'Debian packages that are missing and get installed:'
  for apt_name in $apt_todo; do printf '    %-24s %s\n' "$apt_name" "$(apt_purpose "$apt_name" "$@")"; done
  apt_wait
  # shellcheck disable=SC2086 # package names are words
  step_whole "install $(printf '%s\n' "$apt_todo" | wc -l | tr -d ' ') Debian packages" apt_fetch_install $apt_todo ||
    die 'the Debian packages could not be installed' "$(apt_help)"
}
