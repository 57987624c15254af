# shellcheck shell=sh
# Sourced by scripts/quickstart: --down. Needs cloud.sh and what it needs.
# Only what bears novactl's marks is touched: domains with our metadata element and this cloud's id, interfaces nvb* and nvt*, our
# three nftables tables, dnsmasq started with a file of ours, and our folders. Domains of another cloud, or of one whose state is
# gone, are left, with what they need: their disks and networks, and the libvirtd that runs.

DOMAIN_MARK='urn:novactl:domain:1'
STATE_DIR=${NOVACTL_STATE_DIR:-/var/lib/novactl}
HOST_DIR=${NOVACTL_HOST_DIR:-/var/lib/novactl-host}
HOST_RUN_DIR=/run/novactl-host
CONFIG_DIR=${XDG_CONFIG_HOME:-$HOME/.config}/novactl
CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/novactl

# This cloud's id, from its state; empty when there is none.
down_cloud_id() {
  grep -a -o -h -m 1 'cloud-[0-9a-f]\{17\}' "$STATE_DIR"/replica.json "$STATE_DIR"/*.json "$STATE_DIR"/journal* 2>/dev/null | head -n 1
}

# Domains with our mark, one line each: "NAME CLOUD-ID".
marked_domains() {
  if ! libvirt_answers; then return 0; fi
  for domain in $(virsh_system list --all --name); do
    domain_cloud=$(virsh_system metadata "$domain" --uri "$DOMAIN_MARK" 2>/dev/null | sed -n "s/.*cloud=['\"]\([^'\"]*\)['\"].*/\1/p")
    if [ -n "$domain_cloud" ]; then printf '%s %s\n' "$domain" "$domain_cloud"; fi
  done
}

own_domains() { marked_domains | awk -v id="$DOWN_CLOUD" 'id != "" && $2 == id { print $1 }'; }
strange_domains() { marked_domains | awk -v id="$DOWN_CLOUD" 'id == "" || $2 != id { print $1 }'; }
alone() { [ -z "$DOWN_STRANGE" ]; }

# Everything there is to undo, one line each, for a person.
down_list() {
  own_domains | sed 's/^/domain /'
  if [ -S "$RUN_DIR/novactl.sock" ]; then echo "the cloud's daemon"; fi
  down_folders
  if alone; then
    down_links | sed 's/^/interface /'
    down_tables | sed 's/^/nftables table /'
    down_dnsmasq | sed 's/^/dnsmasq, process /'
  fi
}

down_folders() {
  set -- "$STATE_DIR" "$KEY_FILE" "$CACHE_DIR"
  if alone; then set -- "$@" "$HOST_DIR" "$RUN_DIR" "$HOST_RUN_DIR"; fi
  for down_path in "$@"; do
    if [ -e "$down_path" ]; then printf '%s\n' "$down_path"; fi
  done
}

down_links() {
  for down_link in /sys/class/net/nvt* /sys/class/net/nvb*; do
    if [ -e "$down_link" ]; then printf '%s\n' "${down_link##*/}"; fi
  done
}

down_tables() {
  if command -v nft >/dev/null 2>&1; then
    nft list tables 2>/dev/null | sed -n -e 's/^table \(inet novactl\)$/\1/p' -e 's/^table \(netdev novactl\)$/\1/p' -e 's/^table \(ip novactl_nat\)$/\1/p'
  fi
}

# dnsmasq processes that were started with a configuration of ours.
down_dnsmasq() {
  for dnsmasq_proc in /proc/[0-9]*; do
    case $(tr '\0' ' ' 2>/dev/null <"$dnsmasq_proc/cmdline") in
      *dnsmasq*--conf-file="$HOST_RUN_DIR"/*) printf '%s\n' "${dnsmasq_proc#/proc/}" ;;
    esac
  done
}

# Every instance of the cloud is terminated by the cloud itself, so that whatever it made on the host goes the way it came.
down_instances() {
  instances=$("$NOVACTL" instance list --output name) || return 1
  if [ -z "$instances" ]; then return 0; fi
  # shellcheck disable=SC2086 # ids are words
  "$NOVACTL" instance terminate $instances --yes --wait --reason 'npm run quickstart -- --down' || return 1
  # The host keys that instance ssh pinned.
  for instances_id in $instances; do rm -f "$CONFIG_DIR/known_hosts.d/$instances_id"; done
}

# What a daemon that is gone, or was killed, left on the host.
down_sweep() {
  for sweep_domain in $(own_domains); do
    echo "domain $sweep_domain"
    virsh_system destroy "$sweep_domain" >/dev/null 2>&1 || :
    virsh_system undefine "$sweep_domain" || return 1
  done
  alone || return 0
  for sweep_pid in $(down_dnsmasq); do
    echo "dnsmasq $sweep_pid"
    kill "$sweep_pid" 2>/dev/null || :
    sweep_left=50
    while [ -d "/proc/$sweep_pid" ] && [ "$sweep_left" -gt 0 ]; do sleep 0.1; sweep_left=$((sweep_left - 1)); done
  done
  down_tables >"$LOG.tables"
  while read -r sweep_family sweep_name; do
    echo "nftables table $sweep_family $sweep_name"
    nft delete table "$sweep_family" "$sweep_name" || return 1
  done <"$LOG.tables"
  rm -f "$LOG.tables"
  for sweep_link in $(down_links); do
    echo "interface $sweep_link"
    # A bridge may have gone with its last port.
    ip link delete "$sweep_link" || [ ! -e "/sys/class/net/$sweep_link" ] || return 1
  done
}

down_files() {
  for files_path in $(down_folders); do
    # Configured folders may be anywhere: one that is not named for novactl is not taken away on the word of a variable.
    case $files_path in
      */*novactl*) ;;
      *) echo "$files_path is not named for novactl: remove it by hand"; return 1 ;;
    esac
    echo "$files_path"
    rm -rf -- "$files_path" || return 1
  done
  # Folders that are empty now.
  rmdir "$CONFIG_DIR/keys" "$CONFIG_DIR/known_hosts.d" "$CONFIG_DIR" 2>/dev/null || :
}

# Asks the cloud itself to end its instances, and stops it. What it can't do is left to the sweep.
down_cloud() {
  # Without its state a cloud that is started is a new one, which knows of nothing.
  if [ -z "$DOWN_CLOUD" ] && ! daemon_answers; then return 0; fi
  if [ ! -x "$NODE" ] || [ ! -s "$ROOT/dist/cli.js" ]; then
    warn 'this clone has no build to ask the cloud with: what it made is removed from the outside'
    return 0
  fi
  if ! daemon_answers; then
    step 'start the cloud, to end its instances' "$NOVACTL" up ||
      warn 'the cloud does not start: what it made is removed from the outside'
  fi
  if daemon_answers; then
    step 'terminate the instances' down_instances ||
      warn 'the cloud could not end all its instances: what is left is removed from the outside'
    step 'stop the cloud' "$NOVACTL" down || die 'the daemon could not be stopped' "$NOVACTL down --verbose"
  fi
}

down_ask() {
  printf 'go on? [y/N] '
  read -r ask_answer || ask_answer=''
  case $ask_answer in y | Y | yes | Yes | YES) ;; *) say 'nothing was done'; exit 0 ;; esac
}

# down_step TITLE SENTENCE COMMAND...: a step whose lines (what it removed) are shown.
down_step() {
  down_title=$1 down_sentence=$2
  shift 2
  step "$down_title" "$@" || die "$down_sentence" 'npm run quickstart -- --down --yes'
  sed 's/^/    /' "$STEP_OUT"
}

# cloud_down YES-OR-NO: the whole of --down.
cloud_down() {
  DOWN_CLOUD=$(down_cloud_id)
  # Domains that are defined can only be seen and removed by a libvirtd that runs.
  if grep -qs "$DOMAIN_MARK" /etc/libvirt/qemu/*.xml && ! libvirt_answers; then
    step 'start libvirtd, to remove domains' sh "$ROOT/packaging/libvirtd-start" || die 'libvirtd did not start' "sh $ROOT/packaging/libvirtd-start"
  fi
  DOWN_STRANGE=$(strange_domains)
  down_found=$(down_list)
  if ! alone; then
    warn 'domains of another cloud, or of one whose state is gone, stay as they are, with their disks and networks:'
    for strange in $DOWN_STRANGE; do
      note "  $strange   to remove it: virsh -c qemu:///system destroy $strange; virsh -c qemu:///system undefine $strange"
    done
  fi
  if [ -z "$down_found" ]; then
    rm -f "$LOG" /run/lock/novactl-quickstart.lock
    say 'nothing of a quickstart is on this machine'
    return 0
  fi
  say 'this removes, with everything in it:'
  printf '%s\n' "$down_found" | sed 's/^/    /'
  if [ "$1" = no ] && [ -t 0 ] && [ -t 1 ]; then down_ask; fi
  down_cloud
  down_step 'remove what is left on the host' 'something on the host could not be removed' down_sweep
  if alone; then
    step 'stop libvirtd, if novactl started it' sh "$ROOT/packaging/libvirtd-start" --stop || die 'libvirtd could not be stopped' "sh $ROOT/packaging/libvirtd-start --stop"
  fi
  down_step 'remove state and keys' 'a folder could not be removed' down_files

  down_left=$(down_list)
  if [ -n "$down_left" ]; then
    say 'still there:'
    printf '%s\n' "$down_left" | sed 's/^/    /'
    die 'not everything could be removed' 'npm run quickstart -- --down --yes' 10
  fi
  say 'nothing of it is left; the Debian packages stay, and node_modules and dist of this clone'
  rm -f "$LOG" /run/lock/novactl-quickstart.lock
}
