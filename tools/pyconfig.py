"""Say what an extension must know of this interpreter: version, suffix, free-threaded, include directories."""

import sys
import sysconfig

freethreaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

print(f"{sys.version_info[0]}.{sys.version_info[1]}{'t' if freethreaded else ''}")
print(sysconfig.get_config_var("EXT_SUFFIX"))
print(int(freethreaded))
for directory in sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")}):
    print(f"include={directory}")
