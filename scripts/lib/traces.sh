# shellcheck shell=sh
# Sourced by the scripts of this folder: what novactl puts on a machine, found by the names that it gives to things.

# virsh on the machine's own libvirtd, without a terminal: on one it starts polkit's agent, which complains where polkit does not run.
virsh_system() { LC_ALL=C setsid -w timeout 60 virsh -q -c qemu:///system "$@" </dev/null; }

# True when a libvirtd answers on the system socket.
libvirt_answers() { command -v virsh >/dev/null 2>&1 && virsh_system uri >/dev/null 2>&1; }

# One line a thing: domains, interfaces, nftables tables, dnsmasq and QEMU processes, mounts, folders.
traces_now() {
  if is_root && [ -S /run/libvirt/libvirt-sock ] && libvirt_answers; then
    virsh_system list --all --name | sed '/^$/d; s/^/domain /'
  fi
  for traces_link in /sys/class/net/nvb* /sys/class/net/nvt* /sys/class/net/nvlab*; do
    if [ -e "$traces_link" ]; then printf 'interface %s\n' "${traces_link##*/}"; fi
  done
  if is_root && command -v nft >/dev/null 2>&1; then
    nft list tables 2>/dev/null | sed -n 's/^table \([a-z]* novactl[a-z_]*\)$/nft table \1/p'
  fi
  for traces_pid in /proc/[0-9]*; do
    traces_args=$(tr '\0' ' ' 2>/dev/null <"$traces_pid/cmdline") || continue
    case $traces_args in
      dnsmasq*novactl* | */dnsmasq*novactl* | *qemu-system-*novactl*) printf 'process %s %.100s\n' "${traces_pid#/proc/}" "$traces_args" ;;
    esac
  done
  for traces_folder in /var/lib/novactl* /sys/fs/cgroup/nvlab* /sys/fs/cgroup/*/nvlab*; do
    if [ -e "$traces_folder" ]; then printf 'folder %s\n' "$traces_folder"; fi
  done
  awk '$2 ~ /novactl/ { print "mount " $2 }' /proc/mounts
}

# traces_since BEFORE: what is there now and was not then.
traces_since() {
  traces_now | LC_ALL=C sort -u | while IFS= read -r traces_line; do
    case "
$1
" in *"
$traces_line
"*) ;; *) printf '  %s\n' "$traces_line" ;; esac
  done
}
