"""The build of the kernels, beside pyproject.toml, which holds everything else.

Each vector width is one plain shared library (no Python module: it serves every version of Python and torch), built if
there is a C++ compiler with OpenMP. Without one the installation succeeds all the same, and time runs on the plain
path, as ``unrolled doctor`` then says.
"""

from __future__ import annotations

import os
import platform
from copy import copy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

KERNELS = Path("src", "unrolled", "kernels")
WIDTHS = {"baseline": ["-DVECTOR_BYTES=16"]}
if platform.machine() in ("x86_64", "AMD64"):
    WIDTHS["avx2"] = ["-DVECTOR_BYTES=32", "-mavx2", "-mfma"]
    wide = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]
    WIDTHS["avx512"] = ["-DVECTOR_BYTES=64", *wide]
FLAGS = ["-std=c++20", "-O3", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]


class BuildKernels(build_ext):
    """Build plain shared libraries, each from the same sources and with flags of its own, several at once."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = os.cpu_count()

    def build_extension(self, ext: Extension) -> None:
        own = copy(self)
        own.build_temp = str(Path(self.build_temp, ext.name))  # their objects have the same names
        super(BuildKernels, own).build_extension(ext)

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split("."))) + ".so"


class PlainWheel(bdist_wheel):
    """One wheel for a platform, whatever the version of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


def kernel(width: str, flags: list[str]) -> Extension:
    """The library of one vector width."""
    return Extension(
        f"unrolled.kernels._recurrence_{width}",
        [str(KERNELS / name) for name in ("recurrence.cpp", "diagonal.cpp")],
        depends=[str(header) for header in sorted(KERNELS.glob("*.h"))],
        extra_compile_args=[*FLAGS, *flags],
        extra_link_args=["-fopenmp"],
        language="c++",
        optional=True,
    )


setup(
    ext_modules=[kernel(name, flags) for name, flags in WIDTHS.items()],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": PlainWheel},
)
