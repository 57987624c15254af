# shellcheck shell=sh
# Sourced by scripts/quickstart: the cloud itself, by the novactl command. Needs say.sh, machine.sh, traces.sh, ROOT, NODE, NOVACTL.

QUICK=quickstart # the name of the key pair and of the instance
RANGE=${NOVACTL_NETWORK_FIXED_RANGE:-10.200.0.0/13}
METADATA_PORT=${NOVACTL_METADATA_PORT:-8775}
RUN_DIR=${NOVACTL_RUN_DIR:-/run/novactl}
KEY_FILE=${XDG_CONFIG_HOME:-$HOME/.config}/novactl/keys/$QUICK.pem

# novactl_csv COLUMNS NOUN VERB [ARG...]: rows of a listing without the title line; values here never hold commas or quotes.
novactl_csv() {
  csv_columns=$1
  shift
  "$NOVACTL" "$@" --output csv --columns "$csv_columns" 2>>"$LOG" | sed 1d
}

daemon_answers() { [ -S "$RUN_DIR/novactl.sock" ] && "$NOVACTL" status --json >/dev/null 2>&1; }

# Room for what is not there yet, with half as much to spare.
needs_room() {
  if node_installed; then check_disk "$ROOT" 300; else check_disk "$ROOT" 1500; fi
  if [ -n "$(apt_missing "$ROOT/packaging/apt-packages.txt")" ]; then check_disk /usr 1500; fi
  check_disk /var/lib 1000
}

# The metadata service listens on one port of loopback; a cloud of ours that runs already has it.
check_ports() {
  if [ -S "$RUN_DIR/novactl.sock" ]; then return 0; fi
  if ports_owner=$(port_owner "$METADATA_PORT"); then
    die "port $METADATA_PORT, which the metadata service needs, is in use by $ports_owner" \
      "NOVACTL_METADATA_PORT=18775 npm run quickstart"
  fi
}

# Project networks are cut from RANGE where the machine routes nothing else; a route that covers all of it leaves none.
check_routes() {
  routes_bad=$(ip -4 -o route show table main | awk -v range="$RANGE" '
    function number(text, part) { split(text, part, "."); return ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4] }
    BEGIN { split(range, want, "/"); base = number(want[1]); size = 2 ^ (32 - want[2]) }
    $1 == "default" || $1 == "unreachable" || $1 == "blackhole" { next }
    {
      split($1, net, "/")
      bits = net[2] == "" ? 32 : net[2]
      from = number(net[1])
      if (from <= base && from + 2 ^ (32 - bits) >= base + size) { print $1 " " $2 " " $3; exit }
    }')
  if [ -n "$routes_bad" ]; then
    die "guests get addresses from $RANGE, and this machine routes all of it elsewhere ($routes_bad)" \
      'NOVACTL_NETWORK_FIXED_RANGE=172.29.0.0/16 npm run quickstart   (any range that is free here)'
  fi
}

libvirt_ensure() {
  if libvirt_answers; then
    skipped libvirtd 'one is running'
    return 0
  fi
  libvirt_start
  # The first time libvirt asks QEMU what it can do, which takes seconds: let it, while npm downloads.
  virsh_system domcapabilities --virttype qemu >/dev/null 2>&1 9>&- &
}

libvirt_start() {
  step 'start libvirtd' sh "$ROOT/packaging/libvirtd-start" || die 'libvirtd did not start' "sh $ROOT/packaging/libvirtd-start"
}

# The daemon runs the build that it was started with: after a new build it is started again, and instances live on.
cloud_up() {
  up_build=$(cat "$ROOT/dist/.built")
  if daemon_answers; then
    if [ "$(cat "$RUN_DIR/quickstart-build" 2>/dev/null)" = "$up_build" ]; then
      skipped cloud 'is up'
      return 0
    fi
    step 'stop the cloud, whose build is another' "$NOVACTL" down || die 'the running cloud could not be stopped' "$NOVACTL down"
  fi
  step 'start the cloud' "$NOVACTL" up || die 'the cloud did not start' "$NOVACTL serve   (in the foreground, to see why)"
  printf '%s\n' "$up_build" >"$RUN_DIR/quickstart-build"
}

host_ensure() {
  if [ -n "$("$NOVACTL" host list --output name 2>>"$LOG")" ]; then
    skipped host 'this machine is one'
  else
    step 'add this machine as a host' "$NOVACTL" host add --local || die 'this machine could not be added as a host' "$NOVACTL host add --local --verbose"
  fi
  host_virt=$("$NOVACTL" host list --json 2>>"$LOG" | "$NODE" -e '
    const { hosts } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    const facts = hosts[0]?.facts;
    if (facts?.virtType === "qemu") console.log(facts.virtReason || "no reason given");')
  if [ -n "$host_virt" ]; then
    warn "no KVM here ($host_virt): guests run on TCG, QEMU's own emulation, which is several times slower"
  fi
}

image_ensure() {
  if "$NOVACTL" image show tiny --json >/dev/null 2>&1; then
    skipped 'image tiny' 'is registered'
  else
    # Its kernel is a Debian package, downloaded and unpacked but never installed.
    if ! apt-cache show "linux-image-cloud-$DPKG_ARCH" >/dev/null 2>&1; then
      apt_wait
      step_whole 'fetch the package lists' apt_get update || die 'apt-get update failed' "$(apt_help)"
    fi
    step 'build and register the image tiny' "$NOVACTL" image build-tiny || die 'the image tiny could not be built' "$NOVACTL image build-tiny --verbose"
  fi
}

KEY_RENEWED=no
key_ensure() {
  key_there=no
  if novactl_csv name keypair list | grep -qx "$QUICK"; then key_there=yes; fi
  if [ "$key_there" = yes ] && [ -s "$KEY_FILE" ]; then
    skipped "key pair $QUICK" 'exists'
    return 0
  fi
  # A key of a cloud that is gone serves this one as well.
  if [ -s "$KEY_FILE" ]; then
    step "register key pair $QUICK" key_register || die "the key in $KEY_FILE could not be registered" "mv $KEY_FILE $KEY_FILE.old"
    return 0
  fi
  # The private half was handed out once; without it the key pair opens nothing.
  if [ "$key_there" = yes ]; then
    step "delete key pair $QUICK, whose private half is gone" "$NOVACTL" keypair delete "$QUICK" --yes || die 'the old key pair could not be deleted' "$NOVACTL keypair list"
    KEY_RENEWED=yes
  fi
  step "make key pair $QUICK" "$NOVACTL" keypair create "$QUICK" || die 'the key pair could not be made' "$NOVACTL keypair create $QUICK"
}

key_register() { ssh-keygen -y -f "$KEY_FILE" | "$NOVACTL" keypair import "$QUICK" --public-key -; }

# The instance of this name that is not on its way out: "ID STATE".
instance_found() {
  novactl_csv id,name,state instance list | awk -F, -v name="$QUICK" '$2 == name && $3 ~ /^(running|pending|stopped|stopping)$/ { print $1, $3; exit }'
}

instance_ensure() {
  found=$(instance_found)
  INSTANCE=${found%% *}
  if [ -n "$INSTANCE" ] && [ "$KEY_RENEWED" = yes ]; then
    warn "$INSTANCE was started with the key that is gone; for one that takes the new key: $NOVACTL instance terminate $INSTANCE --wait, then run this again"
  fi
  case ${found#* } in
    running | pending) skipped "instance $QUICK" "$INSTANCE is ${found#* }" ;;
    stopped | stopping)
      if [ "${found#* }" = stopping ]; then
        step "wait until instance $QUICK has stopped" "$NOVACTL" instance wait "$INSTANCE" --for stopped || die 'the instance does not stop' "$NOVACTL why instance $INSTANCE"
      fi
      READY_BEFORE=$(ready_count)
      step "start instance $QUICK again" "$NOVACTL" instance start "$INSTANCE" --wait ||
        die 'the instance did not start' "$NOVACTL why instance $INSTANCE" ;;
    *)
      step "run instance $QUICK" "$NOVACTL" instance run --image tiny --type m1.nano --key "$QUICK" --name "$QUICK" --wait ||
        die 'the instance did not start' "$NOVACTL instance list --all; $NOVACTL op list"
      found=$(instance_found)
      INSTANCE=${found%% *} ;;
  esac
}

# How often the guest has said that it took its address and its data: once a boot.
ready_count() { "$NOVACTL" instance log "$INSTANCE" --all 2>>"$LOG" | grep -a -c NOVACTL-READY; }

READY_BEFORE=0
console_ready() { [ "$(ready_count)" -gt "$READY_BEFORE" ]; }

# 180 s: a boot under emulation on a busy machine.
wait_ready() {
  now_cs
  ready_until=$((NOW_CS + 18000))
  until console_ready; do
    now_cs
    if [ "$NOW_CS" -gt "$ready_until" ]; then
      echo 'the guest has not said NOVACTL-READY on its console for 180 s; its last lines:'
      "$NOVACTL" instance log "$INSTANCE" | tail -n 5
      return 1
    fi
    sleep 0.5
  done
}

instance_ready() {
  if console_ready; then
    skipped guest 'is ready'
  else
    step 'wait for the guest to boot' wait_ready || die 'the guest did not come up' "$NOVACTL why instance $INSTANCE; $NOVACTL instance log $INSTANCE"
  fi
}

show_end() {
  end_address=$(novactl_csv ip instance show "$INSTANCE")
  say ''
  say "${SAY_BOLD}$QUICK is running${SAY_OFF}  (this took $1)"
  say "  instance  $INSTANCE"
  say "  address   $end_address"
  say '  console'
  # A guest's console may hold anything: only what a terminal shows as text is passed on.
  "$NOVACTL" instance log "$INSTANCE" | sed "s/$ESC\\[[0-9;?]*[A-Za-z]//g" | tr -d '\000-\010\013-\037\177' |
    grep -a -v '^[[:space:]]*$' | tail -n 6 | cut -c 1-110 | sed 's/^/    | /'
  say ''
  say "  ssh into it       $NOVACTL instance ssh $INSTANCE"
  say "  look at it        $NOVACTL instance show $INSTANCE"
  say "  its console       $NOVACTL instance log $INSTANCE --follow"
  say "  the whole cloud   $NOVACTL status"
  say '  stop everything   npm run quickstart -- --down'
}
