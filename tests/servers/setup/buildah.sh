# Run by buildah.py in namespaces of its own, with buildah's command line as arguments.

# Of the machine's /var/lib, where buildah would begin a cache of its own, only ours can be written.
mount --bind /var/lib /var/lib && mount -o remount,bind,ro /var/lib &&
mount --bind "$CACHE" "$CACHE" && mount -o remount,bind,rw "$CACHE" || exit 1
# Its scratch files are in memory: they hold the person's settings of pip, and go with the namespace.
mount -t tmpfs -o mode=700 tmpfs "$SCRATCH" && mkdir "$SCRATCH/tmp" || exit 1
# Unpacked libraries are made known by the linker's list, since buildah starts itself anew without LD_LIBRARY_PATH.
if [ -n "$LIBRARIES" ]; then
  { echo "include /etc/ld.so.conf"; echo "$LIBRARIES" | tr : '\n'; } >"$SCRATCH/ld.so.conf" &&
  PATH="$PATH:/sbin:/usr/sbin" ldconfig -X -f "$SCRATCH/ld.so.conf" -C "$SCRATCH/ld.so.cache" &&
  mount --bind "$SCRATCH/ld.so.cache" /etc/ld.so.cache || exit 1
fi
# The mark stays where it does not end by itself.
touch "$MARK" && TMPDIR="$SCRATCH/tmp" "$@"
code=$?
[ $code -ge 128 ] || rm "$MARK"
exit $code
