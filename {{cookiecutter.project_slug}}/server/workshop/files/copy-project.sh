#!/bin/sh
# Gives a participant the project, ready to run: copy-project.sh REFERENCE TARGET USER
#
# The files are the participant's own. The installed libraries are links to those of the reference: they belong to root,
# so nobody can change them for the others, while the folders are the participant's: pip can add, replace and remove.
# Everything is made beside the reference and then moved, so a copy in a home is whole, or not there. Where the homes are
# another file system, the move makes real copies: a gigabyte each.
set -eu
umask 022
reference=$1 target=$2 user=$3
new=$(mktemp -d "$(dirname "$reference")/new.XXXXXX")
trap 'rm -rf "$new"' EXIT

tar -C "$reference" --exclude=./.tox --exclude=./.venv -cf - . | tar -C "$new" -xf -
chown -R "$user:" "$new"

# Each environment: its libraries as links, everything else, which names its folder or is written to, as a copy.
for each in .venv .tox/tools .tox/.pkg; do
    [ -d "$reference/$each" ] || continue
    mkdir -p "$new/$each"
    find "$reference/$each" -mindepth 1 -maxdepth 1 ! -name 'lib*' -exec cp -a {} "$new/$each/" \;
    find "$reference/$each" -mindepth 1 -maxdepth 1 -name 'lib*' -exec cp -al {} "$new/$each/" \;
    find "$reference/$each" -mindepth 1 -maxdepth 1 ! -name 'lib*' -printf '%f\0' |
        (cd "$new/$each" && xargs -0 chown -Rh "$user:")
done
find "$new" -type d -exec chown "$user:" {} +

# What names the folder of the reference, names this one: sed writes a new file, so the link is left alone.
{
    find "$new/.venv" "$new/.tox" -type f -not -path '*/lib/*'
    find "$new/.venv/lib" "$new/.tox/"*/lib -type f \
        '(' -name '*.pth' -o -name '__editable__*.py' -o -name direct_url.json ')'
} | while read -r file; do
    if grep -qIF "$reference" "$file"; then
        sed -i "s|$reference|$target|g" "$file"
        chown "$user:" "$file"
    fi
done

chmod 755 "$new"
mv -T "$new" "$target"
trap - EXIT
