# Debian's cross compilers, with libraries and headers of the target from a sysroot (scripts/sysroot ARCH). The including
# file sets XSTACK_CROSS_TRIPLE, XSTACK_CROSS_DEB (Debian's name of the architecture) and CMAKE_SYSTEM_PROCESSOR.
# The sysroot is -DXSTACK_SYSROOT=..., else the environment's XSTACK_SYSROOT_<ARCH>, else where scripts/sysroot puts it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${XSTACK_CROSS_TRIPLE}-gcc)
set(CMAKE_CXX_COMPILER ${XSTACK_CROSS_TRIPLE}-g++)

if(NOT XSTACK_SYSROOT)
  string(TOUPPER ${XSTACK_CROSS_DEB} upper)
  if(DEFINED ENV{XSTACK_SYSROOT_${upper}})
    set(XSTACK_SYSROOT $ENV{XSTACK_SYSROOT_${upper}})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(XSTACK_SYSROOT $ENV{XDG_CACHE_HOME}/xstack/sysroot-${XSTACK_CROSS_DEB})
  else()
    set(XSTACK_SYSROOT $ENV{HOME}/.cache/xstack/sysroot-${XSTACK_CROSS_DEB})
  endif()
endif()
set(XSTACK_SYSROOT ${XSTACK_SYSROOT} CACHE PATH "Libraries and headers of the target (scripts/sysroot)")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES XSTACK_SYSROOT)
if(NOT EXISTS ${XSTACK_SYSROOT}/.xstack-sysroot)
  message(FATAL_ERROR "No sysroot at ${XSTACK_SYSROOT}: run scripts/sysroot ${XSTACK_CROSS_DEB}")
endif()

set(CMAKE_SYSROOT ${XSTACK_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE ${XSTACK_CROSS_TRIPLE})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${XSTACK_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
  ${XSTACK_SYSROOT}/usr/lib/${XSTACK_CROSS_TRIPLE}/pkgconfig:${XSTACK_SYSROOT}/usr/share/pkgconfig)
