# shellcheck shell=sh
# Sourced by the scripts of this folder: is this machine fit? Each check ends the script with one sentence when it is not.
# Needs say.sh and ROOT (the folder of the clone).

check_linux() {
  if [ "$(uname -s)" != Linux ]; then die "novactl runs on Linux; this is $(uname -s)" '' 1; fi
  MACHINE=$(uname -m)
  case $MACHINE in
    x86_64) DPKG_ARCH=amd64 ;;
    aarch64 | arm64) DPKG_ARCH=arm64 ;;
    *) die "novactl runs on x86_64 and aarch64; this machine is $MACHINE" ;;
  esac
  export DPKG_ARCH
}

# The pinned Node is built for glibc; musl has no such loader.
check_libc() {
  for libc_loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    if [ -e "$libc_loader" ]; then return 0; fi
  done
  if ls /lib/ld-musl-* >/dev/null 2>&1; then
    die 'this system uses musl, and the Node that novactl brings along needs glibc' 'a Debian 12 or 13 machine or container'
  fi
  die 'no glibc loader found, and the Node that novactl brings along needs glibc' 'a Debian 12 or 13 machine or container'
}

check_npm() {
  if ! command -v npm >/dev/null 2>&1; then
    die 'npm is not installed' 'apt-get install --no-install-recommends nodejs npm'
  fi
}

# Says so where the distribution is another than those that the tests run on.
check_debian() {
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    die 'this system has no apt, and the packages novactl needs are named by their Debian names' \
      "install what $ROOT/packaging/apt-packages.txt lists by your system's own means, then see README.md, \"By hand\""
  fi
  debian_id='' debian_version=''
  if [ -r /etc/os-release ]; then
    debian_id=$(sed -n 's/^ID="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release)
    debian_version=$(sed -n 's/^VERSION_ID="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release)
  fi
  case $debian_id:$debian_version in
    debian:12 | debian:13) ;;
    *) warn "novactl is tested on Debian 12 and 13; this is ${debian_id:-unknown} ${debian_version:-unknown}" ;;
  esac
}

# check_disk FOLDER NEEDED-MIB: the file system that holds the folder, or its nearest parent that exists.
check_disk() {
  disk_folder=$1
  while [ ! -d "$disk_folder" ]; do disk_folder=$(dirname "$disk_folder"); done
  disk_free=$(df -Pk "$disk_folder" | awk 'NR == 2 { print int($4 / 1024) }')
  disk_inodes=$(df -Pi "$disk_folder" | awk 'NR == 2 { print $4 }')
  if [ "${disk_free:-0}" -lt "$2" ]; then
    die "$disk_folder has $disk_free MiB of disk free, and this needs $2 MiB" "df -h $disk_folder; apt-get clean"
  fi
  case $disk_inodes in
    '' | *[!0-9]* | 0) ;; # Some file systems (btrfs) have no fixed number of inodes and say 0 or "-".
    *) if [ "$disk_inodes" -lt 40000 ]; then
      die "$disk_folder has only $disk_inodes inodes free, and this needs 40000" "df -i $disk_folder"
    fi ;;
  esac
}

# check_memory NEEDED-MIB: memory that can be had without swapping, of the machine and of a control group's limit.
check_memory() {
  memory_free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  for memory_group in /sys/fs/cgroup /sys/fs/cgroup/memory; do
    if [ -r "$memory_group/memory.max" ]; then memory_limit=$(cat "$memory_group/memory.max"); memory_used=$(cat "$memory_group/memory.current")
    elif [ -r "$memory_group/memory.limit_in_bytes" ]; then
      memory_limit=$(cat "$memory_group/memory.limit_in_bytes"); memory_used=$(cat "$memory_group/memory.usage_in_bytes")
    else continue; fi
    # Version 1 says "no limit" by a number near 2^63, version 2 by the word max.
    case $memory_limit in max | ????????????????*) continue ;; esac
    memory_room=$(((memory_limit - memory_used) / 1048576))
    if [ "$memory_room" -lt "$memory_free" ]; then memory_free=$memory_room; fi
  done
  if [ "$memory_free" -lt "$1" ]; then
    die "only $memory_free MiB of memory are available, and this needs $1 MiB" 'free -m; ps -eo rss,pid,comm --sort=-rss | head'
  fi
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# port_owner PORT: answers 0 and prints "who" when something listens on the TCP port. Reads /proc: ss may not be installed yet.
port_owner() {
  port_hex=$(printf '%04X' "$1")
  port_inode=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v p=":$port_hex" '$4 == "0A" && substr($2, length($2) - 4) == p { print $10; exit }')
  if [ -z "$port_inode" ]; then return 1; fi
  port_fd=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\\[$port_inode\\]" -print -quit 2>/dev/null)
  if [ -n "$port_fd" ]; then
    port_pid=${port_fd#/proc/}
    port_pid=${port_pid%%/*}
    printf '%s (pid %s)' "$(cat "/proc/$port_pid/comm" 2>/dev/null)" "$port_pid"
    return 0
  fi
  printf 'another process'
}
