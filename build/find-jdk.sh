# Sourced by ./tern, ./verify and build/format. `find_jdk` prints the folder of a JDK 25, or fails.
#
# Looks at JAVA_HOME, then at `java` on PATH, then into the usual folders; the first JDK 25 wins. A
# JDK is known by its `release` file, so nothing is started to find out.

TERN_JDK=25

# is_jdk FOLDER: holds a full JDK of the right version?
is_jdk() {
  [ -x "$1/bin/javac" ] && grep -qE "^JAVA_VERSION=\"$TERN_JDK([.\"+-]|\$)" "$1/release" 2>/dev/null
}

find_jdk() {
  local candidate java
  if [ -n "${JAVA_HOME:-}" ] && is_jdk "$JAVA_HOME"; then
    echo "$JAVA_HOME"
    return
  fi
  if java=$(command -v java); then
    candidate=$(dirname "$(dirname "$(readlink -f "$java")")")
    if is_jdk "$candidate"; then
      echo "$candidate"
      return
    fi
  fi
  for candidate in /usr/lib/jvm/* /usr/java/* /opt/* /opt/java/* "$HOME"/.sdkman/candidates/java/* \
    "$HOME"/.jdks/* "$HOME"/.local/share/mise/installs/java/* \
    /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    if is_jdk "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

no_jdk() {
  echo "Tern needs a JDK $TERN_JDK and found none: not in JAVA_HOME, not as java on PATH, not in the usual folders." >&2
  echo "Install one (Debian: a package named temurin-$TERN_JDK-jdk or openjdk-$TERN_JDK-jdk-headless) or set JAVA_HOME." >&2
  exit 1
}
