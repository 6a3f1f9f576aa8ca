"""Variables that programs obey, by which what they load, run or trust is decided.

A push may not set one: whoever pushes says what it holds. Pure.
"""

from __future__ import annotations

import re

_NAMES = (
    # The dynamic linker and the C library: https://man7.org/linux/man-pages/man8/ld.so.8.html
    r"_?R?LD_\w+|DYLD_\w+|GLIBC_\w+|MALLOC_\w+|HOSTALIASES|RES_OPTIONS|TZDIR",
    # Where programs, libraries and modules are looked for: PATH, CLASSPATH, GEM_PATH.
    r"[^_]*PATH|\w+_(LIBRARY|LOAD|INCLUDE|PRELOAD|PLUGIN|MODULE)S?_?PATH|\w+_PRELOAD",
    r"(GCONV|GEM|GOPATH|LUA|NODE|NIX|SHLIB)_PATH|\w+_EXEC_PATH|HOME|TMPDIR|TERMINFO|TERMCAP",
    # Shells: https://www.gnu.org/software/bash/manual/html_node/Bash-Variables.html
    r"IFS|ENV|BASH\w*|SHELL|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|GLOBIGNORE|EXECIGNORE|INPUTRC|ZDOTDIR",
    # What programs run for others: EDITOR, GIT_PAGER, GIT_SSH_COMMAND, RSYNC_RSH.
    r"(\w+_)?(EDITOR|VISUAL|PAGER|BROWSER|ASKPASS|COMMAND|RSH|SHELL)|LESS(OPEN|CLOSE)?",
    r"GIT_(CONFIG\w*|SSH\w*|EXTERNAL_DIFF|TEMPLATE_DIR|DIR|WORK_TREE)",
    # Interpreters and runtimes, but for their versions.
    r"(PYTHON|PERL|RUBY)(?!_?VERSION$)\w+|NODE_(OPTIONS|REPL_\w+|EXTRA_CA_CERTS|TLS_\w+)",
    r"(_|JDK_)?JAVA_(?!VERSION$)\w+|(DOTNET|LUA|PHP|ERL)_(?!VERSION$)\w+|PHPRC|CORECLR_\w+|COR_\w+",
    r"R_(PROFILE|ENVIRON|LIBS)\w*|BUNDLE_\w+|GEM_HOME|\w*(OPTIONS|OPTS|FLAGS)|MAKEFILES",
    # Package managers fetch code: NPM_CONFIG_REGISTRY, PIP_INDEX_URL.
    r"(NPM_CONFIG|PIP|UV|CARGO|RUSTC|RUSTUP|GOPROXY|GONOSUMDB)(_(?!VERSION$)\w+)?",
    # Whom programs call, and whose certificates they trust.
    r"\w+_PROXY|SSL_CERT_\w+|OPENSSL_\w+|SSLKEYLOGFILE|\w+_CA_(BUNDLE|CERTS?|FILE)|NETRC",
    r"KUBECONFIG|KUBERNETES_\w+|DOCKER_(HOST|CONFIG|CONTEXT)",
)
_OBEYED = re.compile("|".join(_NAMES), re.IGNORECASE)


def is_obeyed(name: str) -> bool:
    """Whether a program that a Job may run does what the variable of this name says.

    Nobody knows all such names; these are the linker's, and those of what Jobs usually run.
    """
    return _OBEYED.fullmatch(name) is not None
