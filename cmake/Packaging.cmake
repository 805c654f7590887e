# `cpack` in a build folder, or scripts/package ARCH: Debian packages. Those for a dom0 are built with XSTACK_STATIC, so
# that they need libc alone: a dom0 is often a small image.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME xstack)
set(CPACK_PACKAGE_VENDOR "xstack")
set(CPACK_PACKAGE_CONTACT "The xstack authors <xstack@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "registers, stacks and call traces of Xen guests")
set(CPACK_PACKAGE_DESCRIPTION "xstack prints what a Xen guest was doing when it stopped: for every vCPU its
registers, its stack, and a call trace with names. It works on arm32, arm64 and
x86 guests, live or from a dump, and needs no symbol file.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_SOURCE_DIR}/build/package)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE "https://xenproject.org/")
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE armhf)
endif() # else CPack asks dpkg

if(XSTACK_STATIC)
  # What is left dynamic. The floor is the newest symbol version that the binary asks for: the C library of Debian 12.
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.36)")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
else()
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/CompressDocs.cmake)
install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME changelog)
# libxenctrl and its fellows are loaded when they are needed, whichever release of them there is.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "xen-utils-common")
include(CPack)
