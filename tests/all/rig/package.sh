# Installs, starts, removes and purges a package in a copy of this machine that nobody else sees
# and that is gone afterwards: package.sh PACKAGE ROOM NOTIFY MLLPS HTTPS CONSOLE OPERATION.
# Run as root in a mount namespace of its own. Says what it has done, and goes on when it is told.
set -eu
package="$1" room="$2" notify="$3" mllps="$4" https="$5" console="$6" operation="$7"
mount -t tmpfs tmpfs "$room"
mkdir "$room/upper" "$room/work" "$room/root" "$room/keys"
mount -t overlay overlay -o "lowerdir=/,upperdir=$room/upper,workdir=$room/work" "$room/root"
root="$room/root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount --bind /dev "$root/dev"
cp "$package" "$root/run/kangqiao.deb"
: >"$root/run/notify" && mount --bind "$notify" "$root/run/notify"
inside() { chroot "$root" "$@"; }

export DEBIAN_FRONTEND=noninteractive
inside dpkg -i /run/kangqiao.deb
echo "STEP installed"
inside stat -c '%n %U %G %a' /var/lib/kangqiao /etc/kangqiao/keys /etc/kangqiao/certs
inside dpkg --verify kangqiao && echo "STEP verified"

# What README.Debian says, but for the name and the service manager, which is not in here.
sed -n '/For a first try:/,/^Everything/p' "$root/usr/share/doc/kangqiao/README.Debian" |
    sed -n 's/^  //p' | sed '/systemctl/,$d' |
    sed 's/"$(hostname -f)"/localhost --ip 127.0.0.1/' >"$root/run/first"
sed -i -e "s/0.0.0.0:2576/127.0.0.1:$mllps/" -e "s/0.0.0.0:8443/127.0.0.1:$https/" \
    -e "s/127.0.0.1:8444/127.0.0.1:$console/" -e "s/127.0.0.1:9464/127.0.0.1:$operation/" \
    -e '1i sandbox = "required"' "$root/etc/kangqiao/kangqiao.toml"
[ -s "$root/run/first" ] && inside sh -eux /run/first
inside sh -c 'cd /etc/kangqiao && kangqiao certs --dir certs issue --name hotline-12349-agent'
cp -R "$root/etc/kangqiao/certs" "$room/certs"

# As the unit does: its user, no powers, nothing to write but the store and the keys.
mount --bind "$root/etc/kangqiao/keys" "$room/keys"
mount --bind "$root/etc" "$root/etc"
mount -o remount,bind,ro "$root/etc"
mount --bind "$room/keys" "$root/etc/kangqiao/keys"
unit="$root/lib/systemd/system/kangqiao.service"
user="$(sed -n 's/^User=//p' "$unit")" start="$(sed -n 's/^ExecStart=//p' "$unit")"
chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all env -i NOTIFY_SOCKET=/run/notify \
    sh -c "umask 0077; cd /var/lib/kangqiao; exec $start" &
gateway=$!
trap 'kill -9 $gateway 2>/dev/null || true' EXIT
echo "STEP started $gateway"
read -r _
inside kangqiao user invite --config /etc/kangqiao/kangqiao.toml --name lin --role auditor
inside runuser -u kangqiao -- kangqiao ledger verify --config /etc/kangqiao/kangqiao.toml
kill "$gateway" && wait "$gateway"
echo "STEP stopped"
umount "$root/etc/kangqiao/keys" "$root/etc"

echo "# ours" >>"$root/etc/kangqiao/policies/departments.toml"
inside dpkg -i --force-confold /run/kangqiao.deb
inside tail -n 1 /etc/kangqiao/policies/departments.toml
inside dpkg -r kangqiao
inside dpkg -P kangqiao
inside find /etc/kangqiao /var/lib/kangqiao -type f
echo "STEP purged"
inside env KANGQIAO_PURGE_DATA=yes sh -c 'dpkg -i /run/kangqiao.deb && dpkg -P kangqiao'
[ ! -e "$root/var/lib/kangqiao" ] && [ ! -e "$root/etc/kangqiao" ] && echo "STEP gone"
